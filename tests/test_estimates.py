"""When a video should be ready: one estimate, in the answers and in the sentences of the live updates."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from pathlib import Path

from tests.lab import Lab, lab_settings
from tests.people import LaterClock
from tests.raw_server import serving_raw
from tests.running import Json, Person, person, running


def left(task: Json, clock: LaterClock) -> float:
    """Seconds."""
    return datetime.fromisoformat(task["estimatedCompletionAt"]).timestamp() - clock.now()


async def seen(ann: Person, video_id: str, progress: float) -> str:
    """The sentence with which that progress was told."""
    async with asyncio.timeout(20):
        while True:
            events = (await ann.get(f"/api/video/tasks/{video_id}/events")).json()["events"]
            told = [each["message"] for each in events if each["progress"] == progress]
            if told:
                return str(told[0])
            await asyncio.sleep(0.05)


async def test_reported_progress_moves_the_expected_end_and_every_place_says_the_same(tmp_path: Path) -> None:
    clock, lab = LaterClock(), Lab()
    often = {"polling": {"min_interval": 0.1}}
    async with (
        serving_raw(lab.handle) as server,
        running(lab_settings(tmp_path, server.url, **often), clock) as gateway,
        person(gateway, "ann", credits=100) as ann,
    ):
        video_id = (await ann.make())["videoId"]
        await ann.comes_to(video_id, "processing")
        clock.ahead = 60
        by_experience = left(await ann.task(video_id), clock)
        assert by_experience > 60, "of an upstream that nobody knows, two minutes are believed"

        lab.looks |= {"progress": 80}
        sentence = await seen(ann, video_id, 80.0)
        by_progress = left(await ann.task(video_id), clock)
        assert 10 < by_progress < 40, "a minute for 80 % leaves a quarter of a minute, more or less"
        (told,) = re.findall(r"^80 % done after 1 min; about (\d+) s to go\.$", sentence)
        assert abs(int(told) - by_progress) <= 2.5, "told in steps of five seconds"
