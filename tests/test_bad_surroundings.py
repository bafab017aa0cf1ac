"""A gateway whose surroundings are not in order starts all the same, says what is wrong, and loses nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sora_gateway.http.services import Phase
from sora_gateway.serving import _probe
from tests.lab import Lab, at_the_lab, closing, ledger, turned_away, unused_port
from tests.raw_server import serving_raw
from tests.running import person, running, settings_for
from tests.sample_videos import sample_mp4


async def test_an_upstream_that_is_not_there_at_the_start_keeps_its_jobs_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = unused_port()
    lab = Lab(
        looks={"status": "completed"}, content=closing(200, sample_mp4(), {"Content-Type": "video/mp4"})
    )
    async with at_the_lab(tmp_path, lab, url=f"http://127.0.0.1:{port}") as ann:
        assert (await ann.get("/ready")).json() == {"ready": True}
        with caplog.at_level(logging.WARNING):
            await _probe(ann.gateway.upstreams)
        assert "the upstream lab cannot be used yet, its jobs wait" in caplog.text

        task = await turned_away(ann, (await ann.make())["videoId"])
        assert task["status"] == "queued"
        async with serving_raw(lab.handle, port=port):
            done = await ann.comes_to(task["videoId"], "completed")
            assert (await ann.get(done["videoUrl"])).content == sample_mp4()
            assert len(lab.orders) == 1
            assert await ledger(ann, task) == ["hold", "settle"]


async def test_a_nearly_full_disk_takes_nothing_new_and_still_shows_what_is_there(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        done = await ann.comes_to((await ann.make())["videoId"], "completed")
    full = settings_for(tmp_path, media={"min_free_disk": 1 << 60})
    async with running(full) as gateway, person(gateway) as ann:
        orders = [
            ann.http.post("/api/video/tasks", json={"prompt": "a boat"}),
            ann.http.post("/v1/videos", json={"prompt": "a boat"}),
            ann.http.post(f"/api/video/tasks/{done['videoId']}/retry"),
        ]
        for order in orders:
            refused = await order
            assert refused.status_code == 507
            assert refused.json()["error"]["code"] == "storage_full"
        (listed,) = (await ann.get("/api/video/tasks")).json()["tasks"]
        assert (await ann.get(listed["videoUrl"])).content[4:8] == b"ftyp"
        assert (await ann.get(f"/v1/videos/{done['videoId']}/content")).status_code == 200
        assert (await ann.get("/ready")).status_code == 200
        # Deleting is what helps, so it goes on too.
        assert (await ann.http.delete(f"/api/video/tasks/{done['videoId']}")).status_code == 204


async def test_while_it_stops_it_takes_nothing_and_answers_reads(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        gateway.readiness.phase = Phase.STOPPING
        refused = await ann.http.post("/api/video/tasks", json={"prompt": "a boat"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
        assert refused.headers["retry-after"] == "10"
        assert (await ann.get("/ready")).status_code == 503
        assert (await ann.get("/health")).json()["phase"] == "stopping"
        assert (await ann.get("/api/video/tasks")).json() == {"tasks": [], "hasMore": False}
