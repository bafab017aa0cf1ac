"""What a video is made from: kept before the job is accepted, sent with the create, there for another try."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sora_gateway.core.asset import InputFile
from sora_gateway.core.claim import KeyClaim
from sora_gateway.core.job import ExternalId, JobId, State
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.core.operation import Operation
from sora_gateway.core.outcome import CreateAnswer
from sora_gateway.core.polling import PolicyName, PollPolicy
from sora_gateway.errors import InsufficientCredits, InvalidRequest, OutcomeUnknown, StorageFull, Unavailable
from sora_gateway.media.files import MediaFiles
from sora_gateway.supervisor import Order
from sora_gateway.supervisor.characters import Characters
from sora_gateway.supervisor.gate import Gate
from sora_gateway.supervisor.watcher import Upstream
from tests.fakes import CountingEntropy, ScriptedUpstream, settle
from tests.gateways import OWNER, Workshop, workshop
from tests.sample_videos import sample_mp4

IMAGE = InputFile("reference", b"\x89PNG and so on", "image/png")
COMPLETED = Look(LookKind.COMPLETED, "completed", 100.0)
FAILED = Look(LookKind.FAILED, "failed", message="It did not work.")


def on_disk(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "media").rglob("*") if path.is_file())


async def test_a_reference_image_goes_upstream_with_the_create(tmp_path: Path) -> None:
    upstream = ScriptedUpstream(looks=[COMPLETED], file=sample_mp4())
    async with workshop(tmp_path, upstream) as shop:
        job = await shop.accept(inputs=(IMAGE,))
        assert on_disk(tmp_path) == ["reference.png"]
        await shop.reaches(job.id, State.COMPLETED)
        (order,) = upstream.orders
        assert (order.image, order.image_type) == (IMAGE.data, IMAGE.media_type)
        assert set(await shop.store.assets(job.id)) == {"reference", "video"}


async def test_a_remix_is_sent_as_one_with_the_upstreams_own_id(tmp_path: Path) -> None:
    async with workshop(tmp_path, upstream := ScriptedUpstream()) as shop:
        order = Order(
            OWNER, "the same at night", "sora-2", "lab", "sora-2", 12, "1280x720", operation=Operation.EXTEND,
            source_external_id=ExternalId("ext-9"), extended_by=8, characters="char-1 char-2",
        )  # fmt: skip
        await shop.supervisor.accept(order)
        await shop.clock.advance(1)
        (sent,) = upstream.orders
        assert (sent.operation, sent.source, sent.seconds) == (Operation.EXTEND, "ext-9", 8)
        assert sent.characters == ("char-1", "char-2")


async def test_an_image_outlives_a_restart_between_accept_and_create(tmp_path: Path) -> None:
    async with workshop(tmp_path, ScriptedUpstream(), entered=False) as shop:
        clock = shop.clock
        await shop.store.accept(
            (job := Order(OWNER, "a boat", "sora-2", "lab", "sora-2", 4, "1280x720").job(VIDEO, clock.now())),
            (await MediaFiles(tmp_path / "media").put(VIDEO, IMAGE),),
        )
    files = MediaFiles(tmp_path / "media")
    async with workshop(tmp_path, upstream := ScriptedUpstream(), clock=clock) as shop:
        assert await files.sweep(await shop.store.kept_jobs()) == []
        await shop.reaches(job.id, State.PROCESSING)
        assert upstream.orders[0].image == IMAGE.data


VIDEO = JobId("video_" + "0" * 32)


class TestWhatIsLeftOnDisk:
    async def test_nothing_of_a_job_that_was_not_accepted(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream(), balance=5) as shop:
            with pytest.raises(InsufficientCredits):
                await shop.accept(inputs=(IMAGE,))
            assert on_disk(tmp_path) == []

    async def test_nothing_of_a_request_that_was_sent_again(self, tmp_path: Path) -> None:
        claim = KeyClaim(OWNER, "POST /v1/videos", "k", "f")
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            first = await shop.accept(inputs=(IMAGE,), claim=claim)
            assert (await shop.accept(inputs=(IMAGE,), claim=claim)).id == first.id
            assert on_disk(tmp_path) == ["reference.png"]

    async def test_nothing_of_a_job_that_died_before_its_commit(self, tmp_path: Path) -> None:
        files = MediaFiles(tmp_path / "media")
        await files.put(VIDEO, IMAGE)
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            assert await files.sweep(await shop.store.kept_jobs()) == [VIDEO]
            assert on_disk(tmp_path) == []

    async def test_the_image_of_a_failed_job_so_that_it_can_be_made_again(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream(looks=[FAILED])) as shop:
            job = await shop.accept(inputs=(IMAGE,))
            job = await shop.reaches(job.id, State.FAILED)
            assert on_disk(tmp_path) == ["reference.png"]
            assert await shop.supervisor.inputs(job) == (IMAGE,)
            assert await MediaFiles(tmp_path / "media").sweep(await shop.store.kept_jobs()) == []
            await shop.supervisor.delete(job)
            assert on_disk(tmp_path) == []

    async def test_nothing_of_a_deleted_job_which_is_not_taken_for_one_without_an_image(
        self, tmp_path: Path
    ) -> None:
        """It can be deleted while somebody is about to make it again, and pays for the image."""
        async with workshop(tmp_path, ScriptedUpstream(looks=[FAILED])) as shop:
            job = await shop.reaches((await shop.accept(inputs=(IMAGE,))).id, State.FAILED)
            await shop.supervisor.delete(job)
            with pytest.raises(FileNotFoundError):
                await shop.supervisor.inputs(job)

    async def test_nothing_when_the_disk_is_full(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        async with workshop(tmp_path, upstream := ScriptedUpstream()) as shop:
            monkeypatch.setattr(MediaFiles, "put", full)
            with pytest.raises(StorageFull):
                await shop.accept(inputs=(IMAGE,))
            await shop.clock.advance(10)
            assert upstream.orders == []


async def test_a_job_whose_image_was_taken_away_fails_without_being_sent(tmp_path: Path) -> None:
    upstream = ScriptedUpstream()
    async with workshop(tmp_path, upstream, max_concurrent=1) as shop:
        running = await shop.accept("the first takes the only place")
        await shop.clock.advance(1)
        job = await shop.accept(inputs=(IMAGE,))
        next((tmp_path / "media").rglob("reference.png")).unlink()
        await shop.supervisor.cancel(await shop.job(running.id))
        job = await shop.reaches(job.id, State.FAILED)
        assert job.error_code == "input_lost"
        assert len(upstream.orders) == 1
        assert (await shop.balance())[1] == 0


async def test_a_remix_whose_upstream_has_lost_remixes_fails_without_being_sent(tmp_path: Path) -> None:
    upstream = ScriptedUpstream(operations=frozenset({Operation.CREATE}))
    async with workshop(tmp_path, upstream) as shop:
        order = Order(
            OWNER, "the same at night", "sora-2", "lab", "sora-2", 4, "1280x720", operation=Operation.REMIX,
            source_external_id=ExternalId("ext-9"),
        )  # fmt: skip
        job = await shop.reaches((await shop.supervisor.accept(order)).id, State.FAILED)
        assert (job.error_code, upstream.orders) == ("unsupported_by_upstream", [])


class TestCharacters:
    @pytest.fixture
    def claim(self) -> KeyClaim:
        return KeyClaim(OWNER, "POST /v1/videos/characters", "k", "f")

    def characters(
        self, shop: Workshop, upstream: ScriptedUpstream, entropy: CountingEntropy | None = None
    ) -> Characters:
        wired = {"lab": Upstream(upstream, Gate(shop.clock, 0, 2), PollPolicy(PolicyName.STEPPED))}
        return Characters(shop.store, wired, shop.clock, entropy or CountingEntropy(), 60.0)

    async def test_are_made_once_per_request(self, tmp_path: Path, claim: KeyClaim) -> None:
        async with workshop(tmp_path, upstream := ScriptedUpstream()) as shop:
            characters = self.characters(shop, upstream)
            first = await characters.create(OWNER, "lab", "Mo", b"mp4", claim)
            assert (first.name, first.external_id, first.state) == ("Mo", "char-1", "ready")
            assert await characters.create(OWNER, "lab", "Mo", b"mp4", claim) == first
            assert upstream.named == ["Mo"]

    async def test_whose_answer_was_lost_are_never_asked_for_again_by_the_same_request(
        self, tmp_path: Path, claim: KeyClaim
    ) -> None:
        upstream = ScriptedUpstream(new_characters=[CreateAnswer(lost="the connection broke")])
        async with workshop(tmp_path, upstream) as shop:
            characters = self.characters(shop, upstream)
            for _ in range(2):
                with pytest.raises(OutcomeUnknown, match="not known whether lab made"):
                    await characters.create(OWNER, "lab", "Mo", b"mp4", claim)
            assert upstream.named == ["Mo"]

    async def test_that_were_asked_for_when_the_gateway_died_are_unknown_too(
        self, tmp_path: Path, claim: KeyClaim
    ) -> None:
        async with workshop(tmp_path, upstream := ScriptedUpstream()) as shop:
            characters = self.characters(shop, upstream)
            dying = asyncio.ensure_future(characters.create(OWNER, "lab", "Mo", b"mp4", claim))
            await settle()
            dying.cancel()
            await shop.store.run(
                lambda tx: tx.execute("UPDATE characters SET state = 'creating', external_id = NULL")
            )
            with pytest.raises(OutcomeUnknown):
                await characters.create(OWNER, "lab", "Mo", b"mp4", claim)
            assert upstream.named == ["Mo"]

    async def test_that_were_asked_for_are_waited_for_when_the_gateway_stops(
        self, tmp_path: Path, claim: KeyClaim
    ) -> None:
        async with workshop(tmp_path, upstream := ScriptedUpstream()) as shop:
            characters = self.characters(shop, upstream)
            upstream.answering.clear()
            asked = asyncio.ensure_future(characters.create(OWNER, "lab", "Mo", b"mp4", claim))
            await settle()
            stopping = asyncio.ensure_future(characters.stop())
            await settle()
            with pytest.raises(Unavailable, match="restarting"):
                await characters.create(OWNER, "lab", "Jo", b"mp4", None)
            assert not stopping.done()
            upstream.answering.set()
            await stopping
            assert (await asked).state == "ready"
            assert upstream.named == ["Mo"]

    async def test_whose_answer_is_not_waited_for_any_more_are_unknown_and_their_callers_told(
        self, tmp_path: Path, claim: KeyClaim
    ) -> None:
        async with workshop(tmp_path, upstream := ScriptedUpstream()) as shop:
            entropy = CountingEntropy()
            characters = self.characters(shop, upstream, entropy)
            upstream.answering.clear()
            asked = asyncio.ensure_future(characters.create(OWNER, "lab", "Mo", b"mp4", claim))
            await settle()
            await characters.stop(grace=0.01)
            with pytest.raises(OutcomeUnknown, match="not known whether lab made"):
                await asked
            row = await shop.store.run(lambda tx: tx.one("SELECT state FROM characters"))
            assert row is not None
            assert row["state"] == "unknown"
            # Nor is it asked for again after a restart.
            with pytest.raises(OutcomeUnknown):
                await self.characters(shop, upstream, entropy).create(OWNER, "lab", "Mo", b"mp4", claim)
            assert upstream.named == ["Mo"]

    async def test_that_were_about_to_be_asked_for_when_the_gateway_stopped_are_not(
        self, tmp_path: Path, claim: KeyClaim
    ) -> None:
        async with workshop(tmp_path, upstream := ScriptedUpstream()) as shop:
            characters = self.characters(shop, upstream)
            asked = asyncio.ensure_future(characters.create(OWNER, "lab", "Mo", b"mp4", claim))
            await asyncio.sleep(0)
            characters.begin_stopping()
            with pytest.raises(Unavailable, match="restarting"):
                await asked
            assert upstream.named == []
            await self.characters(shop, upstream).create(OWNER, "lab", "Mo", b"mp4", claim)
            assert upstream.named == ["Mo"]

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (CreateAnswer(not_sent="no connection could be made"), Unavailable),
            (CreateAnswer(status=429, retry_after=3.0), Unavailable),
            (CreateAnswer(status=400, error_message="No face in it."), InvalidRequest),
        ],
    )
    async def test_that_provably_came_to_nothing_may_be_asked_for_again(
        self, tmp_path: Path, claim: KeyClaim, answer: CreateAnswer, error: type[Exception]
    ) -> None:
        upstream = ScriptedUpstream(
            new_characters=[answer, CreateAnswer(status=200, external_id="char-2", parsed=True)]
        )
        async with workshop(tmp_path, upstream) as shop:
            characters = self.characters(shop, upstream)
            with pytest.raises(error):
                await characters.create(OWNER, "lab", "Mo", b"mp4", claim)
            assert (await characters.create(OWNER, "lab", "Mo", b"mp4", claim)).external_id == "char-2"
