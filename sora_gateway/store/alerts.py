"""What the operator's alerts need of the store: counts of what is wrong, and what has been told of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sora_gateway.store.readers import Readers
from sora_gateway.store.writer import Transaction, Writer

if TYPE_CHECKING:
    from sora_gateway.core.alerts import Told

# One row of the table of single values: it is replaced as a whole, and small.
_KEY = "alerts"


@dataclass(frozen=True, slots=True)
class WebhookTrouble:
    """How many endpoints were disabled lately because they failed, how many have failed for long, and how many
    messages are overdue."""

    disabled: int
    failing: int
    waiting: int


class Alerts:
    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def doubts(self) -> dict[str, int]:
        """How many videos are in doubt, by upstream."""
        rows = await self._readers.all(
            "SELECT upstream, count(*) AS videos FROM jobs"
            # The second condition is that of an index.
            " WHERE state = 'unknown' AND state NOT IN ('completed', 'failed', 'cancelled') GROUP BY upstream"
        )
        return {row["upstream"]: row["videos"] for row in rows}

    async def webhooks(
        self, disabled_since: float, failing_before: float, due_before: float
    ) -> WebhookTrouble:
        """Endpoints disabled by the gateway since the first moment, failing since before the second, and messages that
        were to be sent before the third, all in epoch seconds."""
        row = await self._readers.one(
            "SELECT (SELECT count(*) FROM webhooks"
            " WHERE NOT enabled AND disabled_reason <> '' AND changed_at >= ?) AS disabled,"
            " (SELECT count(*) FROM webhooks WHERE enabled AND failing_since < ?) AS failing,"
            " (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending' AND next_at < ?) AS waiting",
            (disabled_since, failing_before, due_before),
        )
        assert row is not None
        return WebhookTrouble(**dict(row))

    async def told(self) -> dict[str, list[Told]]:
        """What each destination was told of and has not been told the end of."""
        row = await self._readers.one("SELECT value FROM meta WHERE key = ?", (_KEY,))
        return _read(row["value"]) if row is not None else {}

    async def remember(self, told: Mapping[str, Sequence[Told]]) -> None:
        """Replaces what :meth:`told` returns. Raises StorageFull, StorageFailed."""
        text = json.dumps({name: [_written(each) for each in some] for name, some in told.items() if some})

        def work(tx: Transaction) -> None:
            tx.execute(
                "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (_KEY, text),
            )

        await self._writer.run(work)


def _written(told: Told) -> list[object]:
    trouble = told.trouble
    return [trouble.kind.value, trouble.subject, trouble.cause, trouble.count, told.since, told.at]


def _read(text: str) -> dict[str, list[Told]]:
    """Nothing of what another version has written and this one does not know."""
    from sora_gateway.core.alerts import AlertKind, Told, Trouble  # somebody is to be told

    known = {kind.value for kind in AlertKind}
    return {
        name: [
            Told(Trouble(AlertKind(kind), subject, cause, count), since, at)
            for kind, subject, cause, count, since, at in rows
            if kind in known
        ]
        for name, rows in json.loads(text).items()
    }
