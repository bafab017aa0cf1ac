"""Settings that an administrator may change while the gateway runs: stored, audited, and in force at once.

Only what is looked at anew for every request can be one of them. What opens the gateway to others (addresses,
hosts, proxies, upstream keys) is the operator's, who has the configuration.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from sora_gateway.clock import Clock
from sora_gateway.core.actor import Actor
from sora_gateway.errors import InvalidRequest
from sora_gateway.section import Section
from sora_gateway.settings import Settings
from sora_gateway.store import Store, audit
from sora_gateway.store.changed_settings import ChangedSetting, Value

log = logging.getLogger(__name__)

CHANGEABLE = (
    "accounts.registration",
    "credits.starting_balance",
    "jobs.max_prompt",
    "media.max_references",
    "media.url_lifetime",
    "realtime.topics",
)
"""``table.key``, as the configuration has them."""


@dataclass(frozen=True, slots=True)
class Changeable:
    """One of them now. *configured* is what a reset brings back: the configuration's value, or the default."""

    key: str
    value: Value
    configured: Value
    in_configuration: bool
    field: FieldInfo
    schema: Mapping[str, Any]
    """The key's type and bounds as JSON Schema has them."""
    changed: ChangedSetting | None


class RuntimeSettings:
    """The settings in force. :meth:`load` first, before anything reads :attr:`current`."""

    def __init__(self, configured: Settings, store: Store, clock: Clock) -> None:
        self.current = configured
        self._configured = configured
        self._store = store
        self._clock = clock
        self._changes: dict[str, ChangedSetting] = {}
        self._followers: list[Callable[[Settings], None]] = []
        # Two changes at once would each keep the other's out of what is in force.
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Puts what was changed before in force. What an upgrade or the configuration has made impossible is told of
        and left out."""
        for row in await self._store.changed_settings():
            try:
                if row.key not in CHANGEABLE:
                    raise InvalidRequest("it cannot be changed while the gateway runs")
                _overridden(self._configured, {**self._values(), row.key: row.value})
            except InvalidRequest as error:
                log.warning("the changed setting %s is ignored: %s", row.key, error.message)
                continue
            self._changes[row.key] = row
        self._in_force()

    def follow(self, follower: Callable[[Settings], None]) -> None:
        """*follower* is told of the settings in force, now and after every change."""
        self._followers.append(follower)
        follower(self.current)

    async def change(self, wanted: Mapping[str, Value | None], by: Actor) -> None:
        """Puts *wanted* in force, all of it or nothing; None brings back what is configured.

        Raises:
            InvalidRequest: a key is not one of :data:`CHANGEABLE`, or its value is out of bounds; ``param`` is the key.
        """
        async with self._turn:
            kept = {key: row for key, row in self._changes.items() if key not in wanted}
            given = {key: value for key, value in wanted.items() if value is not None}
            _overridden(self._configured, {key: row.value for key, row in kept.items()} | given)
            now = self._clock.now()
            entries = {
                key: audit.entry(
                    by,
                    now,
                    "setting.reset" if value is None else "setting.change",
                    key,
                    self._told(key, value),
                )
                for key, value in wanted.items()
            }
            await self._store.change_settings([(key, wanted[key], entry) for key, entry in entries.items()])
            self._changes = kept | {
                key: ChangedSetting(key, value, now, by.name) for key, value in given.items()
            }
            self._in_force()

    def all(self) -> list[Changeable]:
        """Every key that can be changed, in the order of :data:`CHANGEABLE`."""
        return [self._changeable(key) for key in CHANGEABLE]

    def _changeable(self, key: str) -> Changeable:
        table, name = key.split(".")
        section = getattr(self._configured, table)
        return Changeable(
            key=key,
            value=_value(self.current, key),
            configured=_value(self._configured, key),
            in_configuration=table in self._configured.model_fields_set and name in section.model_fields_set,
            field=type(section).model_fields[name],
            schema=type(section).model_json_schema()["properties"][name],
            changed=self._changes.get(key),
        )

    def _values(self) -> dict[str, Value]:
        return {key: row.value for key, row in self._changes.items()}

    def _told(self, key: str, value: Value | None) -> str:
        after = _value(self._configured, key) if value is None else value
        return f"{_value(self.current, key)} -> {after}"

    def _in_force(self) -> None:
        self.current = _overridden(self._configured, self._values())
        for follower in self._followers:
            follower(self.current)


def _value(settings: Settings, key: str) -> Value:
    table, name = key.split(".")
    value: Value = getattr(getattr(settings, table), name)
    return value


def _overridden(settings: Settings, values: Mapping[str, Value]) -> Settings:
    """A copy of *settings* with *values*, held against the same bounds. Raises InvalidRequest."""
    tables: dict[str, dict[str, Value]] = {}
    for key, value in values.items():
        if key not in CHANGEABLE:
            raise InvalidRequest(f"{key} cannot be changed while the gateway runs.", param=key)
        table, name = key.split(".")
        tables.setdefault(table, {})[name] = value
    sections = {
        table: _section(table, getattr(settings, table), changes) for table, changes in tables.items()
    }
    return settings.model_copy(update=sections)


def _section(table: str, section: Section, changes: Mapping[str, Value]) -> Section:
    try:
        # Strictly: what is no number is not taken for one.
        return type(section).model_validate({**dict(section), **changes}, strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        key = ".".join([table, *(str(part) for part in problem["loc"])])
        raise InvalidRequest(f"{key} cannot have that value: {problem['msg']}.", param=key) from None
