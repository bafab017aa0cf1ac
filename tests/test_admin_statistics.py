"""What administrators are told of everything together: what came of the videos, and what takes the disk."""

from __future__ import annotations

from pathlib import Path

from sora_gateway.store.space import Kind
from sora_gateway.store.statistics import Ended
from tests.jobs import NOW, accepted, to_completed, to_processing, walk
from tests.lab import Lab, at_the_lab
from tests.running import person, running, settings_for
from tests.stores import open_store

DAY = 86_400.0


async def test_of_ten_videos_the_fifth_is_the_median_and_the_ninth_the_ninetieth_percentile(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path) as store:
        for took in range(1, 11):
            job = await accepted(store, model="sora-2" if took < 10 else "sora-2-pro")
            await walk(store, job, *to_processing(f"ext-{took}"), *to_completed(NOW + took))
        read = store.statistics
        assert await read.ended("all", NOW, NOW + DAY) == [Ended("", completed=10, median=5.0, p90=9.0)]
        assert await read.ended("model", NOW, NOW + DAY) == [
            Ended("sora-2", completed=9, median=5.0, p90=9.0),
            Ended("sora-2-pro", completed=1, median=10.0, p90=10.0),
        ]
        assert await read.ended("day", NOW + 9, NOW + DAY) == [
            Ended("2027-01-15", completed=2, median=9.0, p90=10.0)
        ]
        assert await read.ended("upstream", 0.0, NOW) == []


async def test_what_is_stored_is_counted_by_its_rows(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert await store.space.kinds() == []
        jobs = [
            await walk(store, await accepted(store), *to_processing(f"ext-{each}"), *to_completed())
            for each in range(3)
        ]
        assert await store.space.kinds() == [
            Kind("spritesheet", 3, 3000), Kind("thumbnail", 3, 3000), Kind("video", 3, 3000)
        ]  # fmt: skip
        largest = await store.space.largest(2)
        assert [(each.job_id, each.email, each.size) for each in largest] == [
            (job.id, "ada@example.test", 1000) for job in jobs[:2]
        ]
        size = await store.space.database()
        assert (size.main > 0, size.log > 0, size.backups) == (True, True, 0)


async def test_an_administrator_is_told_how_videos_ended_and_why_they_failed(tmp_path: Path) -> None:
    lab = Lab(looks={"status": "failed", "error": {"message": "It did not work."}})
    async with at_the_lab(tmp_path, lab) as ann, person(ann.gateway, "root", "admin") as root:
        for _ in range(2):
            failed = await ann.comes_to((await ann.make())["videoId"], "failed")
        told = (await root.get("/api/admin/statistics")).json()
        nothing = {"completed": 0, "cancelled": 0, "median": None, "p90": None}
        assert told["total"] == {"name": "", "failed": 2} | nothing
        assert told["upstreams"] == [{"name": "lab", "failed": 2} | nothing]
        assert told["models"] == [{"name": "sora-2", "failed": 2} | nothing]
        assert told["days"] == [{"name": told["until"][:10], "failed": 2} | nothing]
        assert told["reasons"] == [{"code": failed["error"]["code"], "videos": 2}]
        (upstream,) = (await root.get("/api/admin/upstreams")).json()["upstreams"]
        assert upstream["lastDay"] == {"failed": 2} | nothing
        earlier = {"since": "2001-01-01T00:00:00Z", "until": "2001-02-01T00:00:00Z"}
        before = (await root.get("/api/admin/statistics", params=earlier)).json()
        assert (before["total"], before["days"]) == ({"name": "", "failed": 0} | nothing, [])
        turned_round = {"since": earlier["until"], "until": earlier["since"]}
        assert (await root.get("/api/admin/statistics", params=turned_round)).status_code == 400


async def test_an_administrator_is_told_what_takes_the_disk_and_how_much_is_left(tmp_path: Path) -> None:
    stray = tmp_path / "media" / "0a" / f"video_{'0' * 30}0a"
    stray.mkdir(parents=True)
    settings = settings_for(tmp_path, media={"min_free_disk": 1 << 60})
    async with running(settings) as gateway, person(gateway, "root", "admin") as root:
        told = (await root.get("/api/admin/storage")).json()
        disk = told["disk"]
        assert (disk["floor"], disk["belowFloor"], 0 < disk["free"] <= disk["total"]) == (1 << 60, True, True)
        assert (told["files"], told["largest"], told["orphansRemoved"]) == ([], [], 1)
        assert told["database"]["bytes"] > 0
