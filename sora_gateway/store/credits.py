"""Credits as everybody else sees the store's part of them: ``store.credits``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sora_gateway.core.plans import Allowance
from sora_gateway.errors import PlanLimit
from sora_gateway.store import accepting, audit, codes, ledger, plans, statements
from sora_gateway.store.accepting import Used
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.codes import CodeRecord
from sora_gateway.store.plans import Held, StoredPlan
from sora_gateway.store.readers import Readers
from sora_gateway.store.statements import Dispute, LedgerFilter, LedgerPage, Line, Usage
from sora_gateway.store.writer import Transaction, Writer

MOST_CREDITS = 1_000_000_000
"""That are given or taken at once: sums of them stay exact everywhere."""


@dataclass(frozen=True, slots=True)
class Balance:
    """*available* can be spent, *held* is set aside for what is being made."""

    available: int
    held: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands before they ask for more. *refusal* is what they would be told whatever their balance is;
    None when their plan allows it."""

    balance: Balance
    used: Used
    refusal: PlanLimit | None


def said(amount: int, note: str) -> str:
    """A movement, as the audit log has it."""
    return f"{amount:+d} credits{f': {note}' if note else ''}"


class Credits:
    """Balances, the ledger, plans and codes."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    # --- moving ----------------------------------------------------------------------------------

    async def grant(self, user_id: str, amount: int, note: str, entry: AuditEntry) -> None:
        """Gives *amount* credits, more than zero."""

        def work(tx: Transaction) -> None:
            ledger.grant(tx, user_id, amount, note, entry.at, entry.actor)
            audit.write(tx, entry)

        await self._writer.run(work)

    async def adjust(self, user_id: str, amount: int, note: str, entry: AuditEntry) -> None:
        """Corrects a balance by *amount*. Raises Conflict if it would fall below zero."""

        def work(tx: Transaction) -> None:
            ledger.adjust(tx, user_id, amount, note, entry.at, entry.actor)
            audit.write(tx, entry)

        await self._writer.run(work)

    async def standing(
        self, user_id: str, allowance: Allowance, at: float, wanted: int = 0, price: int = 0
    ) -> Standing:
        """How a person stands at the moment *at*, once they have this month's credits, for whom *wanted* more videos
        would cost *price*."""

        def work(tx: Transaction) -> Standing:
            ledger.grant_monthly(tx, user_id, allowance.monthly_credits, allowance.period, at)
            row = tx.one("SELECT available, held FROM users WHERE id = ?", (user_id,))
            assert row is not None, "people are never deleted"
            refusal = None
            try:
                if wanted:
                    accepting.check_limits(tx, user_id, at, wanted, price, allowance)
            except PlanLimit as error:
                # Raised here it would undo the grant.
                refusal = error
            used = accepting.used(tx, user_id, at)
            return Standing(Balance(row["available"], row["held"]), used, refusal)

        return await self._writer.run(work)

    # --- looking ---------------------------------------------------------------------------------

    async def balance(self, user_id: str) -> Balance:
        row = await self._readers.one("SELECT available, held FROM users WHERE id = ?", (user_id,))
        assert row is not None, "people are never deleted"
        return Balance(row["available"], row["held"])

    async def circulation(self) -> Balance:
        """What all people together have."""
        row = await self._readers.one("SELECT sum(available) AS available, sum(held) AS held FROM users")
        assert row is not None
        return Balance(row["available"] or 0, row["held"] or 0)

    async def statement(self, wanted: LedgerFilter) -> LedgerPage:
        return await statements.page(self._readers, wanted)

    async def lines(self, user_id: str | None, after: int, limit: int) -> Sequence[Line]:
        """The entries of one person, or of everybody, oldest first, from behind the entry *after*: for exports."""
        return await statements.lines(self._readers, user_id, after, limit)

    async def lines_of(self, job_id: str) -> Sequence[Line]:
        """The entries of one job, oldest first."""
        return await statements.of_job(self._readers, job_id)

    async def usage(self, user_id: str | None, since: float, until: float) -> Sequence[Usage]:
        """Videos and credits by person, model and day (UTC) of their making."""
        return await statements.usage(self._readers, user_id, since, until)

    async def disputes(self) -> Sequence[Dispute]:
        """Ended jobs whose hold is still open, oldest first."""
        return await statements.disputes(self._readers)

    async def of_job(self, job_id: str) -> list[tuple[str, int, int]]:
        """The movements of one job in order: kind, change of available, change of held."""
        return await ledger.entries(self._readers, job_id)

    async def check(self) -> list[str]:
        """Every way in which the books do not balance; empty when they do."""
        return await ledger.check(self._readers)

    # --- plans and codes -------------------------------------------------------------------------

    async def held(self) -> dict[str, Held]:
        """Everybody who was given a plan, by their id."""
        return await plans.held(self._readers)

    async def give_plan(self, user_id: str, plan: str | None, until: float | None, entry: AuditEntry) -> None:
        """Puts a person on *plan*, for ever or *until* a moment; None is the default plan."""
        await self._writer.run(lambda tx: plans.give(tx, user_id, plan, until, entry))

    async def plans(self) -> Sequence[StoredPlan]:
        return await plans.stored(self._readers)

    async def put_plan(self, plan: StoredPlan, entry: AuditEntry) -> None:
        await self._writer.run(lambda tx: plans.put(tx, plan, entry))

    async def remove_plan(self, name: str, entry: AuditEntry, *, another: bool) -> None:
        """Raises NotFound; Conflict while somebody has it, unless there is *another* of that name."""
        await self._writer.run(lambda tx: plans.remove(tx, name, entry, another=another))

    async def create_codes(self, new: Sequence[tuple[CodeRecord, str, AuditEntry]]) -> None:
        """Keeps codes with their hashes, all of them or none."""

        def work(tx: Transaction) -> None:
            for code, code_hash, entry in new:
                codes.create(tx, code, code_hash, entry)

        await self._writer.run(work)

    async def codes(self) -> Sequence[CodeRecord]:
        """All of them, newest first."""
        return await codes.all_of_them(self._readers)

    async def revoke_code(self, code_id: str, entry: AuditEntry) -> None:
        """Raises NotFound."""
        await self._writer.run(lambda tx: codes.revoke(tx, code_id, entry))

    async def redeem(
        self, code_hash: str, user_id: str, entry: AuditEntry, known: Collection[str]
    ) -> tuple[CodeRecord, Held]:
        """Gives a person what the code is worth; *known* are the plans that there are. Raises NotFound, Conflict."""
        return await self._writer.run(lambda tx: codes.redeem(tx, code_hash, user_id, entry, known))
