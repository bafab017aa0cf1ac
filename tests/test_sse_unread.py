"""A reader of an event stream who takes nothing while they are told how everything is: given up like anybody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from sora_gateway.realtime.live import RealtimeLimits
from tests.jobs import accepted
from tests.listening import peer_of
from tests.live import live_gateway, until


@pytest.mark.parametrize(
    ("why", "plain"),
    # Over plain ASGI the server takes a whole message at once, and nobody knows how much of it was read.
    [("too slow", False), ("revoked", False), ("revoked", True)],
)
async def test_who_does_not_take_their_snapshot_is_given_up(tmp_path: Path, why: str, plain: bool) -> None:
    limits = RealtimeLimits(send_timeout=0.2 if why == "too slow" else 60.0)
    async with (
        live_gateway(tmp_path, limits=limits, plain=plain) as gateway,
        peer_of(gateway.port) as deaf,
    ):
        for _ in range(100):
            await accepted(gateway.store, prompt="x" * 60_000)
        text, key = await gateway.accounts.create_key("user_ada", "test")
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await deaf.send(
            f"GET /api/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {text}\r\n\r\n".encode()
        )
        await until(lambda: gateway.hub.statistics().connections == 1)
        if why == "revoked":
            await gateway.accounts.revoke_key(key.user_id, key.id)
            gateway.hub.recheck(key.user_id)
        await until(lambda: gateway.hub.statistics().connections == 0)
        assert gateway.hub.statistics().too_slow == (why == "too slow")
