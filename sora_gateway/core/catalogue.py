"""Who makes what: which upstream a request goes to, decided without asking anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sora_gateway.core.job import Job
from sora_gateway.core.operation import Operation


@dataclass(frozen=True, slots=True)
class Offer:
    """What one configured upstream makes. Empty *models*, *sizes* or *seconds* let every well-formed value through."""

    upstream: str
    models: Mapping[str, str]
    """What people ask for -> what the upstream calls it."""
    sizes: tuple[str, ...] = ()
    seconds: tuple[int, ...] = ()
    operations: frozenset[Operation] = frozenset({Operation.CREATE})
    characters: bool = False
    """Whether it can learn characters from a video."""

    def name_of(self, model: str) -> str | None:
        """The upstream's own name for *model*, or None if it does not offer it."""
        return self.models.get(model) if self.models else model


@dataclass(frozen=True, slots=True)
class Route:
    """One upstream that can make a job, and what it calls the model."""

    upstream: str
    upstream_model: str


def ordered(offers: Sequence[Offer], model: str, order: Mapping[str, Sequence[str]]) -> list[Offer]:
    """The upstreams that offer *model*, in the order that *order* names for it, else that of the configuration."""
    offering = [offer for offer in offers if offer.name_of(model) is not None]
    if model not in order:
        return offering
    names = list(order[model])
    return sorted(
        (each for each in offering if each.upstream in names), key=lambda each: names.index(each.upstream)
    )


def routes_of(offers: Sequence[Offer], order: Mapping[str, Sequence[str]], job: Job) -> list[Route]:
    """Where *job* could be made, best first: its failover. What only its own upstream has keeps it there."""
    bound = job.source_external_id is not None or bool(job.characters)
    return [
        Route(offer.upstream, offer.name_of(job.model) or job.model)
        for offer in ordered(offers, job.model, order)
        if job.operation in offer.operations
        and (offer.characters or not job.characters)
        and (offer.upstream == job.upstream if bound else True)
        and (job.operation is not Operation.CREATE or complaint(offer, job.seconds, job.size) is None)
    ]


class Catalogue:
    """What can be asked for now, and where; *order* names, for some models, the upstreams and their order."""

    def __init__(
        self, offers: Sequence[Offer] = (), order: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.offers: tuple[Offer, ...] = tuple(offers)
        """In the order of the configuration; replaced when an upstream is added or taken away."""
        self.simulated = False
        """Whether the embedded simulator stands in because there is no upstream."""
        self._order = order or {}

    def offering(self, model: str) -> list[Offer]:
        """Who offers *model*, in the order in which they are asked."""
        return ordered(self.offers, model, self._order)

    def routes(self, job: Job) -> list[Route]:
        """Where *job* could be made, best first."""
        return routes_of(self.offers, self._order, job)


def choose(offers: Sequence[Offer], model: str) -> Offer | None:
    """The first upstream, in the order of the configuration, that offers *model*."""
    return next((offer for offer in offers if offer.name_of(model) is not None), None)


def choose_for(offers: Sequence[Offer], operation: Operation) -> Offer | None:
    """The first upstream that has *operation*, for what is made from an uploaded file and names no model."""
    return next((offer for offer in offers if operation in offer.operations), None)


def offer_of(offers: Sequence[Offer], upstream: str) -> Offer | None:
    """What *upstream* makes; None when the configuration does not have it any more."""
    return next((offer for offer in offers if offer.upstream == upstream), None)


MAX_SECONDS = 60
MAX_SIDE = 4096
MIN_SIDE = 64


def complaint(offer: Offer, seconds: int, size: str) -> tuple[str, str] | None:
    """What is wrong with the wish, as (parameter, sentence); None when *offer* can make it."""
    if offer.seconds and seconds not in offer.seconds:
        return (
            "seconds",
            f"This model makes videos of {_either(offer.seconds)} seconds, not {_shown(seconds)}.",
        )
    if not 1 <= seconds <= MAX_SECONDS:
        return "seconds", f"A video lasts 1 to {MAX_SECONDS} seconds, not {_shown(seconds)}."
    if offer.sizes and size not in offer.sizes:
        return "size", f"This model makes videos of {_either(offer.sizes)}, not {_shown(size)}."
    width, _, height = size.partition("x")
    if not (_is_side(width) and _is_side(height)):
        return (
            "size",
            f"A size is WIDTHxHEIGHT with sides of {MIN_SIDE} to {MAX_SIDE} pixels, for example 1280x720.",
        )
    return None


def _is_side(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 4 and MIN_SIDE <= int(text) <= MAX_SIDE


def _shown(value: object) -> str:
    """What somebody sent, short enough to be said back."""
    text = str(value)
    return text if len(text) <= 20 else f"{text[:20]}…"


def _either(values: Sequence[object]) -> str:
    *front, last = [str(value) for value in values]
    return f"{', '.join(front)} or {last}" if front else last
