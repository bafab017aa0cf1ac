"""Many videos at once: all of them are accepted and paid for, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field, model_validator

from sora_gateway.core.asset import InputFile
from sora_gateway.core.job import Job
from sora_gateway.core.picture import Fit
from sora_gateway.core.prompt_lines import prompts
from sora_gateway.core.views import Status, Task, View, iso
from sora_gateway.core.visibility import Visibility
from sora_gateway.errors import (
    InsufficientCredits,
    InvalidImage,
    InvalidRequest,
    InvalidType,
    NotFound,
    StorageFull,
    UnknownModel,
)
from sora_gateway.http.long_text import LONG_TEXT
from sora_gateway.http.orders import Wish, order_for
from sora_gateway.http.paid import paid_together
from sora_gateway.http.reference_input import image_bytes
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.task_lists import by_status
from sora_gateway.http.task_wishes import ASKED, MODEL, SECONDS, SIZE, InputImage, Tags, given
from sora_gateway.http.tasks import tasks_of
from sora_gateway.http.template_use import TemplateId, UseTemplate, Values, named, prompt_of
from sora_gateway.store.templates import TemplateRecord
from sora_gateway.supervisor import Order

MAX_VARIANTS = 100
MAX_SIZES = 8
"""Sizes of a batch with an image, each of which is a picture in memory."""
_TOGETHER = 50
"""Orders that are checked before others get their turn."""


class BatchItem(View):
    """One video, or its variants; what is left out is what the batch says."""

    model_config = ASKED

    prompt: str | None = None
    template: UseTemplate | None = None
    model: str | None = None
    size: str | None = None
    seconds: Annotated[int, Field(strict=True)] | None = None
    tags: Tags | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> BatchItem:
        if (self.prompt is None) == (self.template is None):
            raise ValueError("Give prompt or template, one of them.")
        return self


class FillTemplate(View):
    """A template, and for each video the values of its gaps."""

    model_config = ASKED

    id: TemplateId
    values: Annotated[list[Values], Field(min_length=1)]


class CreateBatch(View):
    """What to make: *items*, *prompts* (one in each line) or one *template* filled again and again. The rest holds for
    all of them."""

    model_config = ASKED

    items: Annotated[list[BatchItem], Field(min_length=1)] | None = None
    prompts: Annotated[str, Field(max_length=LONG_TEXT)] | None = Field(
        None,
        description="One in each line; empty lines are skipped, and a list loses its bullets or numbers.",
    )
    template: FillTemplate | None = None
    variants: Annotated[int, Field(strict=True, ge=1, le=MAX_VARIANTS)] = Field(
        1, description="How many of each."
    )
    model: str | None = None
    size: str | None = None
    seconds: Annotated[int, Field(strict=True)] | None = None
    input_reference: InputImage | None = Field(None, description="One image for all of them.")
    fit: Fit = Field(Fit.CROP, description="How the image is made as large as the video.")
    visibility: Visibility = Field(Visibility.PRIVATE, description="Who may see them: only you, or the team.")
    tags: Tags = Field([], description="Words to find them by.")

    @model_validator(mode="after")
    def _one_of_them(self) -> CreateBatch:
        if sum(each is not None for each in (self.items, self.prompts, self.template)) != 1:
            raise ValueError("Give items, prompts or a template, one of them.")
        return self


class NewBatch(View):
    """The videos of a batch, and what all of them cost."""

    batch_id: str
    credits: int
    tasks: list[Task]


class Batch(View):
    """What became of a batch: of its videos, as far as you may see them and they are not deleted."""

    batch_id: str
    created_at: str
    videos: int
    counts: dict[Status, int]
    credits: int


@dataclass(frozen=True, slots=True)
class _Part:
    """One video to be. *field* is where its prompt was said, *place* the same for people, and *said* what was said
    there beside it."""

    field: str
    place: str
    prompt: str
    template: TemplateRecord | None = None
    said: BatchItem | None = None


async def create_batch(call: Call) -> NewBatch:
    """Accepts many videos at once: all of them, or none when one cannot be made or they cannot all be paid for. They
    wait behind single videos."""
    jobs = await paid_together(call, lambda: _orders(call, call.body))
    return NewBatch(
        batch_id=_batch_id(jobs),
        credits=sum(job.credits for job in jobs),
        tasks=await tasks_of(call.services, jobs, call.caller),
    )


def _batch_id(jobs: Sequence[Job]) -> str:
    assert jobs[0].batch_id is not None, "they were accepted as one"
    return jobs[0].batch_id


async def _orders(call: Call, asked: CreateBatch) -> Sequence[Order]:
    """Raises InvalidRequest, naming the item that is wrong; InvalidImage."""
    count = _count(asked) * asked.variants
    limit = call.services.settings.limits.batch
    if limit and count > limit:
        raise InvalidRequest(f"These are {count} videos; a batch has at most {limit}.")
    orders = []
    for number, part in enumerate(await _parts(call, asked)):
        orders.append(await _order(call, asked, part))
        if number % _TOGETHER == 0:
            await asyncio.sleep(0)
    # The image last: it costs most.
    pictured = await _with_image(call, asked, orders)
    return [order for order in pictured for _ in range(asked.variants)]


def _count(asked: CreateBatch) -> int:
    if asked.items is not None:
        return len(asked.items)
    if asked.template is not None:
        return len(asked.template.values)
    return len(prompts(asked.prompts or ""))


async def _parts(call: Call, asked: CreateBatch) -> Sequence[_Part]:
    if asked.items is not None:
        return await _from_items(call, asked.items)
    if asked.template is not None:
        template = await named(call.services, call.caller, asked.template.id)
        places = [(f"template.values[{number}]", each) for number, each in enumerate(asked.template.values)]
        return [_Part(place, place, prompt_of(template, values, place), template) for place, values in places]
    parts = [_Part("prompts", f"Line {line}", prompt) for line, prompt in prompts(asked.prompts or "")]
    if not parts:
        raise InvalidRequest("There is no prompt; write one in each line.", param="prompts")
    return parts


async def _from_items(call: Call, items: Sequence[BatchItem]) -> Sequence[_Part]:
    known: dict[str, TemplateRecord] = {}
    parts = []
    for number, item in enumerate(items):
        field, template, prompt = f"items[{number}].prompt", None, item.prompt or ""
        if item.template is not None:
            field = f"items[{number}].template"
            try:
                if item.template.id not in known:
                    known[item.template.id] = await named(call.services, call.caller, item.template.id)
                template = known[item.template.id]
                prompt = prompt_of(template, item.template.values, field)
            except InvalidRequest as error:
                raise InvalidRequest(f"{field}: {error.message}", param=field) from None
        parts.append(_Part(field, field, prompt, template, item))
    return parts


async def _order(call: Call, asked: CreateBatch, part: _Part) -> Order:
    """What the item says counts first, then what the batch says, then what the template does."""
    sources = [each for each in (part.said, asked, part.template) if each is not None]

    def first(name: str) -> Any:
        return next((value for each in sources if (value := getattr(each, name)) is not None), None)

    seconds = first("seconds")
    tags = asked.tags if part.said is None or part.said.tags is None else part.said.tags
    wish = Wish(
        part.prompt,
        first("model") or MODEL,
        SECONDS if seconds is None else seconds,
        first("size") or SIZE,
        visibility=asked.visibility,
        tags=tuple(tags),
    )
    try:
        return await order_for(call.services, call.caller, wish)
    except InvalidRequest as error:
        raise _about(error, part) from None


def _about(error: InvalidRequest, part: _Part) -> InvalidRequest:
    """*error* with the name of the field in which the wrong value stands."""
    if error.param == "prompt":
        return type(error)(f"{part.place}: {error.message}", param=part.field)
    if part.said is not None and getattr(part.said, error.param or "", None) is not None:
        field = f"{part.field.partition('.')[0]}.{error.param}"
        return type(error)(f"{field}: {error.message}", param=field)
    return error


async def _with_image(call: Call, asked: CreateBatch, orders: Sequence[Order]) -> Sequence[Order]:
    """The orders with the image, which is had once and fitted once to each size."""
    image, services = given(asked.input_reference), call.services
    if image is None:
        return orders
    sizes = list(dict.fromkeys(order.size for order in orders))
    if len(sizes) > MAX_SIZES:
        raise InvalidRequest(f"With an image a batch has at most {MAX_SIZES} sizes; these are {len(sizes)}.")
    try:
        async with image_bytes(services, call.caller, image) as data:
            pictures = [await services.images.fitted(data, size, asked.fit) for size in sizes]
    except InvalidImage as error:
        raise InvalidImage(error.message, param="inputReference") from None
    files = {
        size: InputFile("reference", picture.data, picture.media_type)
        for size, picture in zip(sizes, pictures, strict=True)
    }
    return [replace(order, inputs=(files[order.size],)) for order in orders]


async def get_batch(call: Call) -> Batch:
    """How far a batch is."""
    batch_id = call.path["id"]
    found = await call.services.store.batch(batch_id, call.caller)
    return Batch(
        batch_id=batch_id,
        created_at=iso(found.created_at) or "",
        videos=sum(found.states.values()),
        counts=by_status(found.states),
        credits=found.credits,
    )


ENDPOINTS = [
    Endpoint(
        method="POST", path="/api/video/tasks/batch", handler=create_batch, summary="Make many videos",
        access=Access.MEMBER, tag="videos", paid=True, request=CreateBatch, uploads=True, response=NewBatch,
        status=202, errors=(InvalidType, UnknownModel, InvalidImage, InsufficientCredits, StorageFull),
    ),
    Endpoint(
        method="GET", path="/api/video/batches/{id}", handler=get_batch, summary="One batch",
        access=Access.VIEWER, tag="videos", response=Batch, errors=(NotFound,),
    ),
]  # fmt: skip
