"""``/api/templates``: saved prompts with gaps, one's own and the team's."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from starlette.responses import Response

from sora_gateway.core.catalogue import MAX_SECONDS
from sora_gateway.core.ids import time_ordered
from sora_gateway.core.reference import has_controls
from sora_gateway.core.template import TemplateError, gaps
from sora_gateway.core.views import Owner, View, iso
from sora_gateway.core.visibility import Visibility
from sora_gateway.errors import Conflict, Forbidden, InvalidRequest, NotFound
from sora_gateway.http.auditing import entry
from sora_gateway.http.orders import MAX_MODEL, check_prompt
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.task_wishes import ASKED
from sora_gateway.store.templates import TemplateRecord

MAX_TEMPLATE_NAME = 100


def _shown(name: str) -> str:
    if has_controls(name):
        raise ValueError("A name has no control characters.")
    return name


class SaveTemplate(View):
    """A prompt with gaps (``a {animal} in the rain``; ``{{`` for a brace), and what to ask for with it. What is left
    out is decided by whoever uses it."""

    model_config = ASKED

    name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEMPLATE_NAME),
        AfterValidator(_shown),
    ]
    prompt: str
    model: Annotated[str, Field(min_length=1, max_length=MAX_MODEL)] | None = None
    size: Annotated[str, Field(pattern="^[1-9][0-9]{1,4}x[1-9][0-9]{1,4}$")] | None = None
    seconds: Annotated[int, Field(strict=True, ge=1, le=MAX_SECONDS)] | None = None
    visibility: Visibility = Field(Visibility.PRIVATE, description="Who may use it: only you, or the team.")


class Template(View):
    """A saved template; *gaps* are the names that it needs values for."""

    id: str
    name: str
    prompt: str
    gaps: list[str]
    model: str | None
    size: str | None
    seconds: int | None
    visibility: Visibility
    owner: Owner
    mine: bool
    created_at: str
    changed_at: str


class Templates(View):
    templates: list[Template]


async def list_templates(call: Call) -> Templates:
    """Your own and the team's, by name."""
    return Templates(
        templates=await _views(call, await call.services.store.templates(call.caller)),
    )


async def create_template(call: Call) -> Template:
    """Saves a template."""
    now = call.services.clock.now()
    template_id = time_ordered("tpl", now, call.services.entropy.new_id("tpl"))
    template = _asked(call, template_id, call.caller.user_id, now)
    await call.services.store.create_template(template, call.services.settings.limits.templates)
    return (await _views(call, [template]))[0]


async def get_template(call: Call) -> Template:
    """One that you may use."""
    return (await _views(call, [await _find(call)]))[0]


async def change_template(call: Call) -> Template:
    """Replaces all of it. Videos that were made with it stay as they are."""
    before = await _find_own(call)
    template = _asked(call, before.id, before.owner, before.created_at)
    await _note(call, before, "template.change")
    await call.services.store.change_template(template)
    return (await _views(call, [template]))[0]


async def delete_template(call: Call) -> Response:
    """Removes it. Videos that were made with it stay."""
    template = await _find_own(call)
    await _note(call, template, "template.delete")
    await call.services.store.remove_template(template.id)
    return Response(status_code=204)


def _asked(call: Call, template_id: str, owner: str, created_at: float) -> TemplateRecord:
    """The template that the body describes. Raises InvalidRequest."""
    asked: SaveTemplate = call.body
    check_prompt(call.services, asked.prompt)
    try:
        gaps(asked.prompt)
    except TemplateError as error:
        raise InvalidRequest(str(error), param="prompt") from None
    return TemplateRecord(
        template_id, owner, asked.visibility, asked.name, asked.prompt, asked.model, asked.size, asked.seconds,
        created_at, call.services.clock.now(),
    )  # fmt: skip


async def _find(call: Call) -> TemplateRecord:
    return await call.services.store.template(call.path["id"], call.caller)


async def _find_own(call: Call) -> TemplateRecord:
    """Raises NotFound; Forbidden where the caller may only use it."""
    template = await _find(call)
    if template.owner != call.caller.user_id and not call.caller.sees_all:
        raise Forbidden("Only the person who saved this template, or an administrator, can change it.")
    return template


async def _note(call: Call, template: TemplateRecord, action: str) -> None:
    """Writes down, before it is done, what an administrator does to somebody else's."""
    if template.owner != call.caller.user_id:
        await call.services.store.audit(entry(call, action, template.id))


async def _views(call: Call, templates: list[TemplateRecord]) -> list[Template]:
    emails = await call.services.store.emails({each.owner for each in templates})
    return [
        Template(
            id=each.id,
            name=each.name,
            prompt=each.prompt,
            gaps=gaps(each.prompt),
            model=each.model,
            size=each.size,
            seconds=each.seconds,
            visibility=each.visibility,
            owner=Owner(id=each.owner, email=emails.get(each.owner)),
            mine=each.owner == call.caller.user_id,
            created_at=iso(each.created_at) or "",
            changed_at=iso(each.changed_at) or "",
        )
        for each in templates
    ]


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/templates", handler=list_templates, summary="Saved templates",
        access=Access.VIEWER, tag="templates", response=Templates,
    ),
    Endpoint(
        method="POST", path="/api/templates", handler=create_template, summary="Save a template",
        access=Access.MEMBER, tag="templates", request=SaveTemplate, response=Template, status=201,
        errors=(Conflict,),
    ),
    Endpoint(
        method="GET", path="/api/templates/{id}", handler=get_template, summary="One template",
        access=Access.VIEWER, tag="templates", response=Template, errors=(NotFound,),
    ),
    Endpoint(
        method="PUT", path="/api/templates/{id}", handler=change_template, summary="Change it",
        access=Access.MEMBER, tag="templates", request=SaveTemplate, response=Template, errors=(NotFound,),
    ),
    Endpoint(
        method="DELETE", path="/api/templates/{id}", handler=delete_template, summary="Delete it",
        access=Access.MEMBER, tag="templates", status=204, errors=(NotFound,),
    ),
]  # fmt: skip
