"""Templates where something is asked for: by their ids, with a value for each gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import ConfigDict, Field

from sora_gateway.core.principal import Principal
from sora_gateway.core.template import MAX_GAPS, MAX_NAME, MAX_VALUE, TemplateError, fill
from sora_gateway.core.views import View
from sora_gateway.errors import InvalidRequest, NotFound
from sora_gateway.http.services import Services
from sora_gateway.store.templates import TemplateRecord

Values: TypeAlias = Annotated[
    dict[Annotated[str, Field(max_length=MAX_NAME)], Annotated[str, Field(max_length=MAX_VALUE)]],
    Field(max_length=MAX_GAPS),
]
TemplateId: TypeAlias = Annotated[str, Field(min_length=1, max_length=512)]


class UseTemplate(View):
    """A template and what to fill its gaps with."""

    model_config = ConfigDict(**{**View.model_config, "extra": "forbid", "populate_by_name": False})

    id: TemplateId
    values: Values = Field({}, description="What fills each gap, by its name.")


async def filled(services: Services, principal: Principal, use: UseTemplate) -> tuple[str, TemplateRecord]:
    """The prompt that the template becomes, and the template.

    Raises:
        InvalidRequest: *principal* sees no such template, or it does not go with these values.
    """
    template = await named(services, principal, use.id)
    return prompt_of(template, use.values, "template.values"), template


async def named(services: Services, principal: Principal, template_id: str) -> TemplateRecord:
    """Raises InvalidRequest if *principal* sees no such template."""
    try:
        return await services.store.template(template_id, principal)
    except NotFound as error:
        raise InvalidRequest(error.message, param="template.id") from None


def prompt_of(template: TemplateRecord, values: Mapping[str, str], param: str) -> str:
    """The filled prompt. Raises InvalidRequest about *param*."""
    try:
        return fill(template.prompt, values)
    except TemplateError as error:
        raise InvalidRequest(str(error), param=param) from None
