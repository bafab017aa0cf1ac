"""From a wish to an order: everything that can be refused is refused here, before it costs anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sora_gateway.core.asset import InputFile
from sora_gateway.core.catalogue import Offer, complaint
from sora_gateway.core.character import Character
from sora_gateway.core.job import Job
from sora_gateway.core.operation import Operation
from sora_gateway.core.picture import Fit
from sora_gateway.core.pricing import PriceList, Quote, Rule
from sora_gateway.core.principal import Principal
from sora_gateway.core.visibility import Visibility
from sora_gateway.errors import (
    Gone,
    InvalidImage,
    InvalidRequest,
    NotFound,
    UnknownModel,
    UnsupportedByUpstream,
)
from sora_gateway.http.reference_input import Given, prepared
from sora_gateway.http.services import Services
from sora_gateway.supervisor import Order

MAX_MODEL = 128


@dataclass(frozen=True, slots=True)
class Wish:
    """A new video as somebody asks for it; *size* is ``WIDTHxHEIGHT``, *characters* are our ids."""

    prompt: str
    model: str
    seconds: int
    size: str
    image: Given | None = None
    image_field: str = "input_reference"
    """What the image's field is called where it was asked for."""
    fit: Fit = Fit.CROP
    characters: Sequence[str] = ()
    visibility: Visibility = Visibility.PRIVATE
    tags: tuple[str, ...] = ()


async def order_for(services: Services, principal: Principal, wish: Wish) -> Order:
    """The order that the supervisor can accept; what is cheap to refuse is refused first, the image last.

    Raises:
        InvalidRequest: the prompt is empty or too long, or the size or duration cannot be made.
        UnknownModel: no upstream offers the model.
        InvalidImage: the reference image cannot be used.
    """
    check_prompt(services, wish.prompt)
    characters = [await _character(services, principal, each) for each in wish.characters]
    offer = _offer(services, wish, characters)
    wrong = complaint(offer, wish.seconds, wish.size)
    if wrong is not None:
        raise InvalidRequest(wrong[1], param=wrong[0])
    upstream_model = offer.name_of(wish.model)
    assert upstream_model is not None
    inputs: tuple[InputFile, ...] = ()
    if wish.image is not None:
        try:
            inputs = (await prepared(services, principal, wish.image, wish.size, wish.fit),)
        except InvalidImage as error:
            raise InvalidImage(error.message, param=wish.image_field) from None
    price = quoted(services, wish.model, wish.size, wish.seconds)
    return Order(
        owner=principal.user_id,
        prompt=wish.prompt,
        model=wish.model,
        upstream=offer.upstream,
        upstream_model=upstream_model,
        seconds=wish.seconds,
        size=wish.size,
        credits=price.credits,
        price_version=price.version,
        inputs=inputs,
        visibility=wish.visibility,
        characters=" ".join(str(character.external_id) for character in characters),
        tags=wish.tags,
    )


async def _character(services: Services, principal: Principal, character_id: str) -> Character:
    try:
        character = await services.store.character(character_id, principal)
    except NotFound as error:
        raise InvalidRequest(error.message, param="characters") from None
    if character.state != "ready":
        raise InvalidRequest("This character was never made; create it anew.", param="characters")
    return character


def _offer(services: Services, wish: Wish, characters: Sequence[Character]) -> Offer:
    """Who makes it: the first that offers the model and can make it, or the one that knows the characters."""
    model, seconds, size = wish.model, wish.seconds, wish.size
    homes = {character.upstream for character in characters}
    if len(homes) > 1:
        raise InvalidRequest(
            "These characters live at different upstreams; name those of one.", param="characters"
        )
    if not 0 < len(model) <= MAX_MODEL:
        raise unknown_model(services, model)
    offering = services.catalogue.offering(model)
    offers = [offer for offer in offering if not homes or (offer.upstream in homes and offer.characters)]
    if offers:
        return next((offer for offer in offers if complaint(offer, seconds, size) is None), offers[0])
    if offering:
        raise UnsupportedByUpstream(
            f"{homes.pop()}, which knows the character, does not offer this model (any more).",
            param="characters",
        )
    raise unknown_model(services, model)


def check_prompt(services: Services, prompt: str) -> None:
    """Raises InvalidRequest for what no upstream is to be asked."""
    limit = services.settings.jobs.max_prompt
    if not prompt.strip():
        raise InvalidRequest("The prompt is empty; say what the video should show.", param="prompt")
    if limit and len(prompt) > limit:
        raise InvalidRequest(
            f"The prompt has {len(prompt)} characters; at most {limit} are taken.", param="prompt"
        )
    if "\0" in prompt:
        raise InvalidRequest("The prompt has a NUL character, which cannot be sent.", param="prompt")


def priced(services: Services, model: str, size: str, seconds: int) -> Quote:
    """What a new video costs, if anybody can make it.

    Raises:
        InvalidRequest: the size or duration cannot be made.
        UnknownModel: no upstream offers the model.
    """
    offer = _offer(services, Wish("", model, seconds, size), ())
    wrong = complaint(offer, seconds, size)
    if wrong is not None:
        raise InvalidRequest(wrong[1], param=wrong[0])
    return quoted(services, model, size, seconds)


def quoted(services: Services, model: str, size: str, seconds: int) -> Quote:
    """What *seconds* of video cost today."""
    settings = services.settings
    pricing = settings.pricing
    rules = [Rule(rule.per_video, rule.per_second, rule.model, rule.size) for rule in pricing.rules]
    base = Rule(pricing.per_video, pricing.per_second)
    return PriceList(base, rules, enabled=settings.credits.enabled).quote(model, size, seconds)


async def order_again(services: Services, principal: Principal, job: Job) -> Order:
    """The same video once more: a new job with its own hold, at today's price, for whoever asks. Its owner's tags
    stay; somebody else's say nothing to whoever asks.

    Raises:
        InvalidRequest: it cannot be made any more.
        Gone: what it was made from is not kept any more.
    """
    check_prompt(services, job.prompt)
    routes = services.catalogue.routes(job)
    if not routes:
        raise _not_again(services, job)
    try:
        inputs = await services.supervisor.inputs(job)
    except FileNotFoundError:
        raise Gone("The image or video that it was made from is not kept any more; make it anew.") from None
    price = quoted(services, job.model, job.size, job.seconds if job.extended_by is None else job.extended_by)
    mine = job.owner == principal.user_id
    tags = (await services.store.tags_of_many([job.id])).get(job.id, ()) if mine else ()
    return Order(
        owner=principal.user_id,
        prompt=job.prompt,
        model=job.model,
        upstream=routes[0].upstream,
        upstream_model=routes[0].upstream_model,
        seconds=job.seconds,
        size=job.size,
        credits=price.credits,
        price_version=price.version,
        retry_of=job.id,
        operation=job.operation,
        source_id=job.source_id,
        source_external_id=job.source_external_id,
        extended_by=job.extended_by,
        characters=job.characters,
        # Somebody else's copy of what the team sees is theirs, and private like all that is new.
        visibility=job.visibility if mine else Visibility.PRIVATE,
        tags=tuple(tags),
        inputs=inputs,
    )


def _not_again(services: Services, job: Job) -> InvalidRequest:
    """Why nobody can make *job* any more."""
    offering = services.catalogue.offering(job.model)
    if not offering:
        return unknown_model(services, job.model)
    wrong = complaint(offering[0], job.seconds, job.size) if job.operation is Operation.CREATE else None
    if wrong is not None:
        return InvalidRequest(wrong[1], param=wrong[0])
    return UnsupportedByUpstream("No upstream that is configured can make this video again.")


def unknown_model(services: Services, model: str) -> UnknownModel:
    known = sorted({name for each in services.offers for name in each.models})
    hint = f" Choose one of: {', '.join(known)}." if known else ""
    return UnknownModel(f"No upstream offers the model {model[:MAX_MODEL]!r}.{hint}", param="model")
