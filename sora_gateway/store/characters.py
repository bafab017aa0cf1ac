"""Characters as rows."""

from __future__ import annotations

from dataclasses import astuple, fields

from sora_gateway.core.character import Character
from sora_gateway.core.claim import Claim
from sora_gateway.core.principal import Principal
from sora_gateway.errors import NotFound
from sora_gateway.store import claims
from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction

_COLUMNS = ", ".join(f.name for f in fields(Character))


def insert(tx: Transaction, character: Character, claim: Claim | None) -> Character:
    """Stores the intent; or returns what *claim* made before.

    Raises:
        IdempotencyMismatch: the claim's key was used for another request.
    """
    earlier = claims.taken(tx, claim, character.created_at) if claim is not None else None
    if earlier is not None:
        row = tx.one(f"SELECT {_COLUMNS} FROM characters WHERE id = ?", (earlier,))  # noqa: S608 - our own names
        assert row is not None, "a character outlives its claims"
        return Character(**dict(row))
    marks = ", ".join("?" * len(fields(Character)))
    tx.execute(f"INSERT INTO characters ({_COLUMNS}) VALUES ({marks})", astuple(character))  # noqa: S608
    if claim is not None:
        claims.record(tx, claim, character.id, character.created_at)
    return character


def conclude(tx: Transaction, character_id: str, external_id: str | None) -> None:
    """Stores the upstream's id, or that nobody knows it."""
    tx.execute(
        "UPDATE characters SET state = ?, external_id = ? WHERE id = ?",
        ("unknown" if external_id is None else "ready", external_id, character_id),
    )


def forget(tx: Transaction, character_id: str) -> None:
    """Takes back an intent that provably came to nothing, so that the same request may try again."""
    tx.execute("DELETE FROM characters WHERE id = ?", (character_id,))
    claims.release(tx, character_id)


async def find(readers: Readers, character_id: str, principal: Principal) -> Character:
    """The character by our id among those *principal* may see.

    Raises:
        NotFound: there is none, or it is not theirs.
    """
    row = await readers.one(
        f"SELECT {_COLUMNS} FROM characters WHERE id = ? AND (? OR owner = ?)",  # noqa: S608
        (character_id, principal.sees_all, principal.user_id),
    )
    if row is None:
        raise NotFound("There is no character by that id.")
    return Character(**dict(row))
