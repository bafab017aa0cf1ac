"""``/api/video/quote``: what a wish would cost, and whether it would be taken now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from sora_gateway.core.picture import Fit
from sora_gateway.core.principal import Scope
from sora_gateway.core.views import View
from sora_gateway.core.visibility import Visibility
from sora_gateway.errors import InvalidRequest, UnknownModel
from sora_gateway.http.orders import priced
from sora_gateway.http.paid import plan_refusal
from sora_gateway.http.routing import Access, Call, Endpoint

_ASKED = ConfigDict(**{**View.model_config, "extra": "forbid", "populate_by_name": False})
MOST = 10_000
"""Videos whose prices are asked for at once where a batch has no limit."""


class QuotedWish(View):
    """A video as it would be asked for. What does not change the price may be there and is not looked at."""

    model_config = _ASKED

    model: str = "sora-2"
    size: str = "720x1280"
    seconds: Annotated[int, Field(strict=True)] = 4
    prompt: str | None = None
    fit: Fit | None = None
    visibility: Visibility | None = None
    tags: list[str] | None = None


class AskQuote(QuotedWish):
    """One video, so many *variants* of it, or all *items*."""

    variants: Annotated[int, Field(strict=True, ge=1, le=MOST)] = Field(1, description="So many of each.")
    items: Annotated[list[QuotedWish], Field(min_length=1)] | None = Field(
        None, description="Several that would be made together; then nothing but variants is beside it."
    )

    @model_validator(mode="after")
    def _one_or_several(self) -> AskQuote:
        if self.items is not None and self.model_fields_set - {"items", "variants"}:
            raise ValueError("Say what is wanted in items, or beside it, not both.")
        return self


class PricedVideo(View):
    """*credits* are those of one such video."""

    model: str
    size: str
    seconds: int
    credits: int
    per_video: int
    per_second: int


class QuoteReason(View):
    code: str
    message: str
    retry_after: int | None = Field(description="Seconds until the plan allows it; null when it never does.")


class QuoteView(View):
    """What it costs today. Nothing is promised: what counts is the price when it is asked for."""

    credits: int
    per_video: int | None = Field(description="Of each; null where the videos have different prices.")
    per_second: int | None
    price_version: str
    available: int
    missing: int = Field(description="Credits that would have to come first.")
    allowed: bool = Field(description="Whether the plan allows it now, whatever it costs.")
    reason: QuoteReason | None = Field(description="Why it does not.")
    videos: list[PricedVideo] = Field(description="As they were asked for; variants are not repeated.")


async def quote(call: Call) -> QuoteView:
    """Takes the body of a create without its image, or several as `items`. Nothing is made, and nothing is held."""
    asked: AskQuote = call.body
    services = call.services
    wishes: Sequence[QuotedWish] = [asked] if asked.items is None else asked.items
    wanted = len(wishes) * asked.variants
    most = services.settings.limits.batch or MOST
    if wanted > most and wanted > 1:
        raise InvalidRequest(f"At most {most} videos are made together; these are {wanted}.", param="items")
    quotes = [priced(services, wish.model, wish.size, wish.seconds) for wish in wishes]
    credits = sum(each.credits for each in quotes) * asked.variants
    standing = await services.plans.standing(call.caller.user_id, wanted, credits)
    refusal = plan_refusal(services, call.caller.user_id) or standing.refusal
    reason = None
    if refusal is not None:
        wait = None if refusal.retry_after is None else max(1, round(refusal.retry_after))
        reason = QuoteReason(code=refusal.code, message=refusal.message, retry_after=wait)
    rules = {(each.per_video, each.per_second) for each in quotes}
    per_video, per_second = rules.pop() if len(rules) == 1 else (None, None)
    return QuoteView(
        credits=credits,
        per_video=per_video,
        per_second=per_second,
        price_version=quotes[0].version,
        available=standing.balance.available,
        missing=max(0, credits - standing.balance.available),
        allowed=reason is None,
        reason=reason,
        videos=[
            PricedVideo(
                model=wish.model,
                size=wish.size,
                seconds=wish.seconds,
                credits=each.credits,
                per_video=each.per_video,
                per_second=each.per_second,
            )
            for wish, each in zip(wishes, quotes, strict=True)
        ],
    )


ENDPOINTS = [
    Endpoint(
        method="POST", path="/api/video/quote", handler=quote, summary="What a video would cost",
        access=Access.MEMBER, tag="credits", needs=Scope.READ, request=AskQuote, response=QuoteView,
        errors=(UnknownModel,),
    ),
]  # fmt: skip
