"""What is asked for when a video is: the bodies of the gateway's own API."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from sora_gateway.core.picture import Fit
from sora_gateway.core.tags import MAX_TAG, MAX_TAGS, normalised
from sora_gateway.core.views import View
from sora_gateway.core.visibility import Visibility
from sora_gateway.errors import InvalidRequest
from sora_gateway.http.orders import Wish
from sora_gateway.http.reference_input import Given, ImageId, ImageUrl
from sora_gateway.http.routing import Call
from sora_gateway.http.template_use import UseTemplate, filled
from sora_gateway.http.uploads import FileOr, Upload
from sora_gateway.http.validation import WholeNumber

MAX_DATA_URL = 20_971_520
"""Characters of an address that holds the image itself, as OpenAI has it."""
MAX_ID = 512
MODEL, SIZE, SECONDS = "sora-2", "720x1280", 4
"""What is made when nobody says."""

ASKED = ConfigDict(**{**View.model_config, "extra": "forbid", "populate_by_name": False})
"""Of what is asked for: unknown fields are refused, and each has one name."""

Tags: TypeAlias = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=MAX_TAG)]],
    Field(max_length=MAX_TAGS),
    AfterValidator(normalised),
]


class InputImage(View):
    """An image by its address, which may be a ``data:`` address, or by the id of a saved one; either of them."""

    model_config = ASKED

    image_url: Annotated[str, Field(min_length=1, max_length=MAX_DATA_URL)] | None = None
    image_id: Annotated[str, Field(min_length=1, max_length=MAX_ID)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> InputImage:
        if (self.image_url is None) == (self.image_id is None):
            raise ValueError("Give imageUrl or imageId, one of them.")
        return self


class _CreateTask(View):
    model_config = ASKED

    model: str = MODEL
    size: str = SIZE
    fit: Fit = Field(Fit.CROP, description="How the image is made as large as the video.")
    visibility: Visibility = Field(Visibility.PRIVATE, description="Who may see it: only you, or the team.")
    tags: Tags = Field([], description="Words to find it by.")


class CreateTask(_CreateTask):
    """What to make, said by a prompt or a template. Sizes and durations are those of ``/api/models``."""

    prompt: str = Field("", examples=["A paper boat in the rain, slow motion"])
    template: UseTemplate | None = Field(
        None, description="Instead of a prompt; its model, size and seconds count where none are asked for."
    )
    seconds: Annotated[int, Field(strict=True)] = SECONDS
    input_reference: InputImage | None = None


class CreateTaskForm(_CreateTask):
    """The same as a form, with a prompt; it may bring the image itself."""

    prompt: str
    seconds: WholeNumber = SECONDS
    input_reference: FileOr[InputImage] | None = None


async def wish_of(call: Call, asked: CreateTask | CreateTaskForm) -> Wish:
    """The wish that a body says.

    Raises:
        InvalidRequest: it has neither prompt nor template, or both, or the template cannot be filled.
    """
    prompt, model, size, seconds = asked.prompt, asked.model, asked.size, asked.seconds
    use = asked.template if isinstance(asked, CreateTask) else None
    said = asked.model_fields_set
    if use is None and "prompt" not in said:
        raise InvalidRequest("The field 'prompt' is missing.", param="prompt")
    if use is not None:
        if "prompt" in said:
            raise InvalidRequest("Give a prompt or a template, one of them.", param="template")
        prompt, template = await filled(call.services, call.caller, use)
        model = model if "model" in said else template.model or model
        size = size if "size" in said else template.size or size
        seconds = seconds if "seconds" in said else template.seconds or seconds
    return Wish(
        prompt, model, seconds, size, given(asked.input_reference), "inputReference", asked.fit,
        visibility=asked.visibility, tags=tuple(asked.tags),
    )  # fmt: skip


def given(reference: Upload | InputImage | None) -> Given | None:
    """The image that a body brings or names."""
    if reference is None or isinstance(reference, Upload):
        return reference
    return (
        ImageUrl(reference.image_url) if reference.image_url is not None else ImageId(str(reference.image_id))
    )
