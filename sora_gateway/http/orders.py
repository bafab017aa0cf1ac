"""From a wish to an order: everything that can be refused is refused here, before it costs anything."""

from __future__ import annotations

from sora_gateway.core.catalogue import choose, complaint
from sora_gateway.core.job import Job, JobId
from sora_gateway.core.money import price
from sora_gateway.core.principal import Principal
from sora_gateway.errors import InvalidRequest, UnknownModel
from sora_gateway.http.services import Services
from sora_gateway.supervisor import Order

MAX_MODEL = 128


def order_for(
    services: Services,
    principal: Principal,
    prompt: str,
    model: str,
    seconds: int,
    size: str,
    retry_of: JobId | None = None,
) -> Order:
    """The order that the supervisor can accept.

    Raises:
        InvalidRequest: the prompt is empty or too long, or the size or duration cannot be made.
        UnknownModel: no upstream offers the model.
    """
    limit = services.settings.jobs.max_prompt
    if not prompt.strip():
        raise InvalidRequest("The prompt is empty; say what the video should show.", param="prompt")
    if limit and len(prompt) > limit:
        raise InvalidRequest(
            f"The prompt has {len(prompt)} characters; at most {limit} are taken.", param="prompt"
        )
    if "\0" in prompt:
        raise InvalidRequest("The prompt has a NUL character, which cannot be sent.", param="prompt")
    offer = choose(services.offers, model) if 0 < len(model) <= MAX_MODEL else None
    if offer is None:
        known = sorted({name for each in services.offers for name in each.models})
        hint = f" Choose one of: {', '.join(known)}." if known else ""
        raise UnknownModel(f"No upstream offers the model {model[:MAX_MODEL]!r}.{hint}", param="model")
    wrong = complaint(offer, seconds, size)
    if wrong is not None:
        raise InvalidRequest(wrong[1], param=wrong[0])
    pricing = services.settings.pricing
    upstream_model = offer.name_of(model)
    assert upstream_model is not None
    return Order(
        owner=principal.user_id,
        prompt=prompt,
        model=model,
        upstream=offer.upstream,
        upstream_model=upstream_model,
        seconds=seconds,
        size=size,
        credits=price(seconds, pricing.per_video, pricing.per_second)
        if services.settings.credits.enabled
        else 0,
        retry_of=retry_of,
    )


def order_again(services: Services, principal: Principal, job: Job) -> Order:
    """The same video once more: a new job with its own hold, at today's price, for whoever asks."""
    return order_for(services, principal, job.prompt, job.model, job.seconds, job.size, retry_of=job.id)
