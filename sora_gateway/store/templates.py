"""Saved prompts with gaps: the owner's own, or the team's."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sora_gateway.core.principal import Principal
from sora_gateway.core.visibility import Visibility
from sora_gateway.errors import Conflict, NotFound
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class TemplateRecord:
    """*prompt* has gaps such as ``{animal}``; what is None is left to whoever uses it."""

    id: str
    owner: str
    visibility: Visibility
    name: str
    prompt: str
    model: str | None
    size: str | None
    seconds: int | None
    created_at: float
    changed_at: float


_NAMES = tuple(field.name for field in fields(TemplateRecord))
_COLUMNS = ", ".join(_NAMES)
_VISIBLE = "(? OR owner = ? OR visibility = 'team')"
"""Takes whether somebody sees all, and who they are."""


def create(tx: Transaction, template: TemplateRecord, limit: int) -> None:
    """Raises Conflict when its owner has *limit* (0: unlimited) already."""
    if limit:
        row = tx.one("SELECT count(*) AS number FROM templates WHERE owner = ?", (template.owner,))
        if row is not None and row["number"] >= limit:
            raise Conflict(f"There are {limit} templates already; delete one first.")
    tx.execute(
        f"INSERT INTO templates ({_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))})",  # noqa: S608
        tuple(getattr(template, name) for name in _NAMES),
    )


def change(tx: Transaction, template: TemplateRecord) -> None:
    """Raises NotFound when it was deleted meanwhile: a change must not bring it back."""
    assignments = ", ".join(f"{name} = ?" for name in _NAMES)
    cursor = tx.execute(
        f"UPDATE templates SET {assignments} WHERE id = ?",  # noqa: S608 - our own names
        (*(getattr(template, name) for name in _NAMES), template.id),
    )
    if cursor.rowcount != 1:
        raise NotFound("There is no such template.")


def remove(tx: Transaction, template_id: str) -> None:
    tx.execute("DELETE FROM templates WHERE id = ?", (template_id,))


async def visible(readers: Readers, principal: Principal) -> list[TemplateRecord]:
    """The caller's own and the team's, by name; administrators see all."""
    rows = await readers.all(
        f"SELECT {_COLUMNS} FROM templates WHERE {_VISIBLE} ORDER BY name, id",  # noqa: S608
        (principal.sees_all, principal.user_id),
    )
    return [_record(dict(row)) for row in rows]


async def find(readers: Readers, template_id: str, principal: Principal) -> TemplateRecord:
    """Raises NotFound unless the caller may see it."""
    row = await readers.one(
        f"SELECT {_COLUMNS} FROM templates WHERE id = ? AND {_VISIBLE}",  # noqa: S608
        (template_id, principal.sees_all, principal.user_id),
    )
    if row is None:
        raise NotFound("There is no such template.")
    return _record(dict(row))


def _record(row: dict[str, object]) -> TemplateRecord:
    return TemplateRecord(**{**row, "visibility": Visibility(str(row["visibility"]))})  # type: ignore[arg-type]
