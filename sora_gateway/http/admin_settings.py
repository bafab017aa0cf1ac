"""``/api/admin/settings``: what can be changed while the gateway runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from sora_gateway.core.views import View, iso
from sora_gateway.http.auditing import actor_of
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.runtime_settings import CHANGEABLE, Changeable
from sora_gateway.settings import Settings
from sora_gateway.store.changed_settings import Value


def _patch_model() -> type[BaseModel]:
    """Every key with the type and the bounds that the configuration has for it; null resets it."""
    fields: dict[str, Any] = {}
    for key in CHANGEABLE:
        table, name = key.split(".")
        section: Any = Settings.model_fields[table].annotation
        field = section.model_fields[name]
        bounded = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        fields[f"{table}_{name}"] = (
            bounded | None,
            Field(None, alias=key, description=f"{field.description} Null brings back what is configured."),
        )
    model: type[BaseModel] = create_model(
        "ChangeSettings",
        __config__=ConfigDict(extra="forbid", strict=True, populate_by_name=False),
        __doc__="The keys that are to change; the others stay as they are.",
        **fields,
    )
    return model


ChangeSettings = _patch_model()


class SettingView(View):
    """One key of the configuration that can be changed here."""

    key: str = Field(description="As the configuration has it: `table.key`.")
    value: Value = Field(description="What is in force.")
    configured: Value = Field(description="What a reset brings back.")
    default: Value
    source: Literal["default", "configuration", "changed"] = Field(description="Where the value comes from.")
    description: str
    type: Literal["integer", "number", "boolean", "string"]
    minimum: float | None = Field(description="The smallest value, if there is one.")
    above: float | None = Field(description="It has to be more than this, if there is such a bound.")
    maximum: float | None = Field(description="The largest value, if there is one.")
    choices: list[str] = Field(description="The values that there are; empty where there are no such.")
    changed_at: str | None
    changed_by: str | None = Field(description="The id of who changed it.")


class SettingList(View):
    settings: list[SettingView]


def _view(one: Changeable) -> SettingView:
    source: Literal["default", "configuration", "changed"]
    source = "changed" if one.changed else "configuration" if one.in_configuration else "default"
    return SettingView(
        key=one.key,
        value=one.value,
        configured=one.configured,
        default=one.field.default,
        source=source,
        description=one.field.description or "",
        type=one.schema["type"],
        minimum=one.schema.get("minimum"),
        above=one.schema.get("exclusiveMinimum"),
        maximum=one.schema.get("maximum"),
        choices=one.schema.get("enum", []),
        changed_at=iso(one.changed.changed_at) if one.changed else None,
        changed_by=one.changed.changed_by if one.changed else None,
    )


async def list_settings(call: Call) -> SettingList:
    """Every key that can be changed while the gateway runs, and where its value comes from."""
    return SettingList(settings=[_view(one) for one in call.services.runtime.all()])


async def change_settings(call: Call) -> SettingList:
    """Changes some of them, all or none; they hold from the next request on, and after a restart."""
    changes = call.body.model_dump(by_alias=True, exclude_unset=True)
    await call.services.runtime.change(changes, actor_of(call))
    return await list_settings(call)


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/settings", handler=list_settings, summary="Settings that can be changed here",
        access=Access.ADMIN, tag="admin", response=SettingList,
    ),
    Endpoint(
        method="PATCH", path="/api/admin/settings", handler=change_settings, summary="Change settings",
        access=Access.ADMIN, tag="admin", request=ChangeSettings, response=SettingList,
    ),
]  # fmt: skip
