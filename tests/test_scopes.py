"""What an API key is for: it does what its person may do, and of that only what its scopes name.

Every route with keys for one thing each: ``tests/test_owners.py``.
"""

from __future__ import annotations

from pathlib import Path

from sora_gateway.core.principal import Scope
from tests.team import client, team


async def test_a_key_that_may_only_read_is_told_which_scope_is_missing(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        key, _ = await all.gateway.accounts.create_key("user_ann", "ci", frozenset({Scope.READ}))
        async with client(all.gateway, key) as program:
            assert (await program.get("/api/video/tasks")).status_code == 200
            refused = await program.post("/api/video/tasks", json={"prompt": "a boat"})
            assert refused.json()["error"]["message"] == (
                "This key is not for this; make one with the scope videos:write."
            )
        assert all.lab.orders == []


async def test_an_administrators_key_for_videos_sees_their_own_videos_only(tmp_path: Path) -> None:
    async with team(tmp_path) as all:
        hers = await all.video("done")
        key, _ = await all.gateway.accounts.create_key("user_root", "ci")
        async with client(all.gateway, key) as program:
            for path in (f"/api/video/tasks/{hers['videoId']}", f"/v1/videos/{hers['videoId']}"):
                assert (await program.get(path)).status_code == 404
            assert (await program.get("/api/video/tasks")).json()["tasks"] == []
