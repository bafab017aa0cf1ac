"""Sums over whole tables, for whoever watches the gateway: read often, so none of them walks over all rows each time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from sora_gateway.store.credits import Balance
from sora_gateway.store.ledger import Kind
from sora_gateway.store.readers import Readers


@dataclass(frozen=True, slots=True)
class Outbox:
    """Messages to webhooks that are still to be delivered, and since when the oldest of them is due (epoch seconds;
    None without one)."""

    pending: int
    oldest_due: float | None


class Totals:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._moved: Counter[str] = Counter(dict.fromkeys(get_args(Kind), 0))
        self._read_to = 0
        self._reading = asyncio.Lock()

    async def moved(self) -> Mapping[str, int]:
        """Credits that were ever moved, by the kind of the movement. The ledger only grows, and in the order of its
        ids: what was read before is not read again."""
        async with self._reading:
            rows = await self._readers.all(
                "SELECT kind, sum(max(abs(available), abs(held))) AS credits, max(id) AS last FROM ledger"
                " WHERE id > ? GROUP BY kind",
                (self._read_to,),
            )
            for row in rows:
                self._moved[row["kind"]] += row["credits"]
            self._read_to = max([self._read_to, *(row["last"] for row in rows)])
            return dict(self._moved)

    async def balances(self) -> Balance:
        """What all people together have."""
        row = await self._readers.one(
            "SELECT coalesce(sum(available), 0) AS available, coalesce(sum(held), 0) AS held FROM users"
        )
        assert row is not None
        return Balance(row["available"], row["held"])

    async def outbox(self) -> Outbox:
        row = await self._readers.one(
            "SELECT count(*) AS pending, min(next_at) AS oldest FROM webhook_deliveries WHERE status = 'pending'"
        )
        assert row is not None
        return Outbox(row["pending"], row["oldest"])
