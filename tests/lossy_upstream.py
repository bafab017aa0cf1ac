"""An upstream that makes videos and loses its answers: what a gateway has to find again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sora_gateway.clock import Clock
from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listed, Listing, Look, LookKind
from sora_gateway.core.outcome import CreateAnswer
from sora_gateway.upstream.adapter import CreateOrder
from tests.fakes import ScriptedUpstream

RUNNING = Look(LookKind.ALIVE, "in_progress", 40.0)
MISSING = Look(LookKind.MISSING, message="no such video")
LOST = CreateAnswer(lost="the connection broke after sending")


@dataclass
class LossyUpstream(ScriptedUpstream):
    """Takes every create, lists what it took, and honours idempotency keys if it is :attr:`idempotent`.

    Of its creates it forgets the answers to the first *losing*; with *taking* off it forgets the creates as well.
    """

    clock: Clock | None = None
    losing: int = 1_000_000
    taking: bool = True
    ahead: float = 0.0
    """Seconds by which its clock is ahead."""
    page: int = 100
    tells_prompts: bool = True
    tells_when_more: bool = True
    rows: list[Listed] = field(default_factory=list)
    """Newest first."""
    keys: dict[str, ExternalId] = field(default_factory=dict)
    trouble: list[Look] = field(default_factory=list)
    """What the next requests for the list are answered instead."""
    lists: list[float] = field(default_factory=list)
    """When the first page was asked for."""
    took: dict[str, ExternalId] = field(default_factory=dict)
    """By attempt: every video that was ever made, and paid for."""

    def now(self) -> float:
        assert self.clock is not None
        return float(int(self.clock.now() + self.ahead))

    async def create(self, order: CreateOrder, timeout: float) -> CreateAnswer:
        self.orders.append(order)
        external_id = self.keys.get(order.idempotency_key) if self.idempotent else None
        if external_id is None and self.taking:
            external_id = self.take(order)
        await self.answering.wait()
        self.losing -= 1
        if self.creates:
            return self.creates.pop(0) if len(self.creates) > 1 else self.creates[0]
        if self.losing >= 0 or external_id is None:
            return LOST
        return CreateAnswer(status=200, external_id=external_id)

    def take(self, order: CreateOrder) -> ExternalId:
        external_id = ExternalId(f"{self.name}-{len(self.took) + 1}")
        self.took[f"{order.attempt_id} {len(self.took)}"] = external_id
        self.keys[order.idempotency_key] = external_id
        self.add(external_id, prompt=order.prompt, seconds=order.seconds, size=order.size, model=order.model)
        return external_id

    def add(
        self,
        external_id: str,
        *,
        prompt: str = "a paper boat",
        seconds: int = 4,
        size: str = "1280x720",
        model: str = "sora-2",
        ago: float = 0.0,
    ) -> None:
        """A video in the list, whoever asked for it."""
        row = Listed(
            ExternalId(external_id), RUNNING, self.now() - ago, prompt if self.tells_prompts else None,
            model, str(seconds), size,
        )  # fmt: skip
        self.rows.insert(0, row)

    async def list_jobs(self, after: ExternalId | None = None) -> Listing | Look:
        if after is None:
            self.lists.append(self.clock.now() if self.clock else 0.0)
        if self.trouble:
            return self.trouble.pop(0)
        ids = [row.external_id for row in self.rows]
        start = ids.index(after) + 1 if after is not None else 0
        some = tuple(replace(row) for row in self.rows[start : start + self.page])
        more = start + self.page < len(self.rows)
        return Listing(some, more and self.tells_when_more, self.now())
