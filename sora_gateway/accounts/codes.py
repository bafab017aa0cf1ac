"""Redeem codes: what they are made of, who makes them, and how often somebody may try one."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sora_gateway.accounts.attempts import Attempts
from sora_gateway.accounts.plans import Plans
from sora_gateway.accounts.tokens import digest
from sora_gateway.clock import Clock
from sora_gateway.entropy import Entropy
from sora_gateway.errors import InvalidRequest, NotFound
from sora_gateway.store import Store
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.codes import CodeRecord

MOST = 100
"""Codes that are made at once."""
_LENGTH, _GROUP = 20, 4
"""Characters of 5 bits each; of the 100 bits a list shows 20."""
_FORM = re.compile(r"([A-Z2-7]{4}-){4}[A-Z2-7]{4}")
_MISREAD = str.maketrans("0189", "OIBG")
"""Digits that the alphabet does not have, as what they were read for."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a code gives: *credits*, a *plan* (for ever without *plan_days*), or both; *uses* times, to different
    people, until *expires_at*."""

    credits: int = 0
    plan: str | None = None
    plan_days: int | None = None
    uses: int = 1
    expires_at: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class NewCode:
    """*text* is what people type; it is stored nowhere."""

    text: str
    record: CodeRecord


def new_text(entropy: Entropy) -> str:
    """A random code, such as ``QWER-TYUI-OPAS-DFGH-JKLZ``: letters and digits that are not taken for each other."""
    letters = base64.b32encode(hashlib.sha256(entropy.token().encode()).digest()).decode()[:_LENGTH]
    return "-".join(letters[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def normal_text(typed: str) -> str:
    """The code that somebody means who leaves out dashes, adds spaces or writes small letters."""
    letters = re.sub(r"[\s-]", "", typed).upper().translate(_MISREAD)
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


class Codes:
    """Who guesses is counted by person and by address: *per_minute* of one address, 0 is unlimited."""

    def __init__(
        self, store: Store, plans: Plans, clock: Clock, entropy: Entropy, per_minute: int = 0
    ) -> None:
        self._store = store
        self._plans = plans
        self._clock = clock
        self._entropy = entropy
        self._attempts = Attempts(clock, per_minute, "codes")

    async def create(self, count: int, worth: Worth, entry: AuditEntry) -> list[NewCode]:
        """*count* new codes that are each worth the same, all or none; *entry* gets the id of each as its target.

        Raises:
            InvalidRequest: they would be worth nothing, could never be used, or are too many.
            NotFound: there is no such plan.
        """
        if not 1 <= count <= MOST:
            raise InvalidRequest(f"1 to {MOST} codes are made at once.", param="count")
        if not worth.credits and worth.plan is None:
            raise InvalidRequest("A code gives credits, a plan, or both.", param="credits")
        if worth.plan is not None and worth.plan not in self._plans.known():
            raise NotFound(f"There is no plan {worth.plan!r}.")
        if worth.plan is None and worth.plan_days is not None:
            raise InvalidRequest("Days are for a plan; name it.", param="planDays")
        if worth.expires_at is not None and worth.expires_at <= self._clock.now():
            raise InvalidRequest("The codes would have expired already.", param="expiresAt")
        made = [self._new(worth, entry) for _ in range(count)]
        detail = _said(worth)
        await self._store.credits.create_codes(
            [
                (code.record, digest(code.text), replace(entry, target=code.record.id, detail=detail))
                for code in made
            ]
        )
        return made

    def _new(self, worth: Worth, entry: AuditEntry) -> NewCode:
        text = new_text(self._entropy)
        record = CodeRecord(
            self._entropy.new_id("code"), text[:_GROUP], worth.credits, worth.plan, worth.plan_days, worth.uses,
            worth.note, entry.actor, entry.at, worth.expires_at,
        )  # fmt: skip
        return NewCode(text, record)

    async def all(self) -> Sequence[CodeRecord]:
        """Newest first, with those that are used up, expired or revoked."""
        return await self._store.credits.codes()

    async def revoke(self, code_id: str, entry: AuditEntry) -> None:
        """Nobody can use it any more; what it gave stays given. Raises NotFound."""
        await self._store.credits.revoke_code(code_id, entry)

    async def redeem(self, typed: str, user_id: str, entry: AuditEntry) -> CodeRecord:
        """Gives a person what the code is worth; *entry* says from which address they try it.

        Raises:
            InvalidRequest: it has not the form of a code; that is no guess, and not counted as one.
            NotFound: it is none, was used up, has expired or was revoked.
            Conflict: they have redeemed it before.
            TooManyRequests: somebody is guessing.
        """
        text = normal_text(typed)
        if not _FORM.fullmatch(text):
            raise InvalidRequest(
                f"A code has {_LENGTH} letters and digits; check what you typed.", param="code"
            )
        self._attempts.take(entry.address)
        async with self._attempts.at(user_id) as attempt:
            try:
                record = await self._plans.redeem(text, user_id, entry)
            except NotFound:
                attempt.right = False
                raise
            attempt.right = True
        return record


def _said(worth: Worth) -> str:
    """For the audit log."""
    said = [_counted(worth.credits, "credit")] if worth.credits else []
    if worth.plan is not None:
        days = "" if worth.plan_days is None else f" for {_counted(worth.plan_days, 'day')}"
        said.append(f"plan {worth.plan}{days}")
    return f"{' and '.join(said)}, {_counted(worth.uses, 'time')}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
