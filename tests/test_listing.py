"""Lists of jobs: read like single jobs, row by row, and not parsed again where they are as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Listing, LookKind
from sora_gateway.upstream import listing
from sora_gateway.upstream.client import Reply
from sora_gateway.upstream.listing import ListReader

Row = dict[str, Any]


def reader() -> ListReader:
    return ListReader(id_paths=("id", "task_id"), progress_scale=1.0, secrets=("sk-secret",))


def reply(body: bytes | str | dict[str, Any], status: int = 200, truncated: bool = False) -> Reply:
    text = json.dumps(body) if isinstance(body, dict) else body
    return Reply(status, {}, text.encode() if isinstance(text, str) else text, truncated)


def row(number: int, **said: Any) -> Row:
    fields = {"id": f"video_{number}", "object": "video", "status": "in_progress", "progress": 10}
    return fields | {"created_at": 1_800_000_000 + number, "prompt": f"boat {number}", "error": None} | said


def page(*rows: Row, more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": list(rows), "has_more": more}


def read(source: ListReader, body: bytes | str | dict[str, Any], after: str | None = None) -> Listing:
    found = source.read(reply(body), after)
    assert found is not None
    return found


class TestARow:
    def test_says_what_a_look_would_and_by_what_a_lost_create_is_known(self) -> None:
        (listed,) = read(reader(), page(row(7, model="wan", seconds=8, size="720x1280", progress=40.5))).rows
        assert (listed.external_id, listed.look.kind) == ("video_7", LookKind.ALIVE)
        assert (listed.look.status, listed.look.progress) == ("in_progress", 40.5)
        assert (listed.created_at, listed.prompt) == (1_800_000_007, "boat 7")
        assert (listed.model, listed.seconds, listed.size) == ("wan", "8", "720x1280")

    def test_that_has_failed_says_why_without_our_key(self) -> None:
        broken = row(1, status="failed", error={"code": "boom", "message": "no sk-secret here"})
        look = read(reader(), page(broken)).rows[0].look
        assert (look.kind, look.code) == (LookKind.FAILED, "boom")
        assert "sk-secret" not in look.message

    def test_that_is_done_says_how_long_it_took(self) -> None:
        done = row(1, status="completed", completed_at=1_800_000_061, url="https://cdn.example/1.mp4")
        look = read(reader(), page(done)).rows[0].look
        assert (look.kind, look.took, look.result_url) == (
            LookKind.COMPLETED, 60.0, "https://cdn.example/1.mp4",
        )  # fmt: skip

    @pytest.mark.parametrize("error", [None, {"message": "no status"}])
    def test_without_a_status_says_nothing(self, error: object) -> None:
        """Least of all that the job has failed."""
        bare = {"id": "video_1", "created_at": 5, "error": error}
        assert read(reader(), page(bare)).rows[0].look.kind is LookKind.TROUBLE

    @pytest.mark.parametrize("bad", [None, 5, "x", [], {}, {"id": "../etc"}, {"id": None}, {"id": "a b"}])
    def test_that_can_be_nobodys_is_left_out(self, bad: object) -> None:
        found = read(reader(), {"data": [bad, row(1)], "has_more": True})
        assert [each.external_id for each in found.rows] == ["video_1"]
        assert found.more


@pytest.mark.parametrize("name", ["data", "items", "videos"])
def test_a_list_goes_by_several_names(name: str) -> None:
    assert len(read(reader(), {"x": 1, name: [row(1), row(2)], "y": {"data": [1]}}).rows) == 2


def test_a_list_may_lie_deeper_and_be_laid_out_in_any_way() -> None:
    body: dict[str, Any] = {"code": 0, "data": {"items": [row(1), row(2)], "total": 2}}
    for text in (json.dumps(body), json.dumps(body, indent=3), json.dumps(body, separators=(",", ":"))):
        source = reader()
        for _ in range(2):
            assert len(read(source, text).rows) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b'{"data": 5}', b'{"data": {}}', b"<html>", b"\xff\xfe{", b'{"data": [',
        b'{"data": [{"id": "a"}', b'{"data": [{"id": "a"},]}', b'{"data": [{"id": "a"}]} x',
        b'{"data": [{"id": "a"} {"id": "b"}]}', b'{"data": [NaN]}', b'{"data": [{"id": "a", "progress": NaN}]}',
        b'{"data": [{"id": "a", "id": "b"}]}', b'{"data": [], "data": []}', b"[" * 100_000,
        b'{"data": [' + b"[" * 100_000, b'{"data": [{"id": "a", "x": ' + b"[" * 40 + b"]" * 40 + b"}]}",
    ],
)  # fmt: skip
def test_what_is_no_list_is_none_and_breaks_nothing(body: bytes) -> None:
    source = reader()
    read(source, page(row(1), row(2)))
    assert source.read(reply(body)) is None
    assert len(read(source, page(row(1), row(2))).rows) == 2


def test_an_answer_that_is_an_error_or_was_cut_off_is_no_list() -> None:
    good = json.dumps(page(row(1)))
    assert reader().read(reply(good, status=500)) is None
    assert reader().read(reply(good, truncated=True)) is None


def test_words_in_a_prompt_are_no_list() -> None:
    sly = row(1, prompt='"data": [{"id": "video_9", "status": "failed"}], "data": [', note={"data": [row(9)]})
    found = read(reader(), {"meta": {"data": [row(8)]}} | page(sly, row(2)))
    assert [each.external_id for each in found.rows] == ["video_1", "video_2"]


class TestARowThatIsAsItWas:
    def test_is_the_very_same(self) -> None:
        source = reader()
        first = read(source, page(row(3), row(2), row(1)))
        again = read(source, page(row(3), row(2, progress=50), row(1)))
        assert again.rows[0] is first.rows[0]
        assert again.rows[2] is first.rows[2]
        assert again.rows[1] is not first.rows[1]
        assert again.rows[1].look.progress == 50

    def test_is_known_again_when_others_come_and_go(self) -> None:
        source = reader()
        first = read(source, page(row(5), row(4), row(3), row(2), row(1)))
        again = read(source, page(row(7), row(6), row(5), row(3), row(1)))
        assert again.rows[2:] == (first.rows[0], first.rows[2], first.rows[4])
        assert all(any(each is known for known in first.rows) for each in again.rows[2:])

    def test_is_known_again_on_another_page(self) -> None:
        source = reader()
        first = read(source, page(row(4), row(3), more=True))
        second = read(source, page(row(2), row(1)), after="video_3")
        read(source, page(row(5), row(4), more=True))
        moved = read(source, page(row(3), row(2), more=True), after="video_4")
        assert moved.rows[0] is first.rows[1]
        assert moved.rows[1] is second.rows[0]

    def test_and_is_forgotten_is_read_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listing, "REMEMBERED", 1000)
        source = reader()
        for _ in range(3):
            found = read(source, page(*(row(number) for number in range(50))))
            assert [each.external_id for each in found.rows] == [f"video_{number}" for number in range(50)]


jobs = st.lists(
    st.builds(
        row,
        st.integers(1, 12),
        status=st.sampled_from(["queued", "in_progress", "completed", "failed", "", None]),
        progress=st.one_of(st.none(), st.integers(0, 100)),
        prompt=st.text(max_size=8),
    ),
    max_size=8,
)


@given(st.lists(st.tuples(jobs, st.sampled_from([None, 1, ","]), st.integers(0, 12)), max_size=8))
def test_a_reader_with_a_memory_reads_what_one_without_would(
    answers: list[tuple[list[Row], object, int]],
) -> None:
    """Whatever lists follow each other, in whatever layout."""
    source = reader()
    for rows, layout, after in answers:
        options: dict[str, Any] = (
            {"separators": (",", ":")} if layout == "," else {"indent": layout, "ensure_ascii": False}
        )
        text = json.dumps(page(*rows), **options)
        start = ExternalId(f"video_{after}") if after else None
        assert source.read(reply(text), start) == reader().read(reply(text), start)


@given(st.binary(max_size=60), st.integers(0, 400))
def test_no_damage_to_an_answer_does_harm(noise: bytes, at: int) -> None:
    source = reader()
    good = json.dumps(page(row(3), row(2), row(1))).encode()
    source.read(reply(good))
    damaged = good[:at] + noise + good[at + len(noise) :]
    assert source.read(reply(damaged)) == reader().read(reply(damaged))
    assert source.read(reply(good)) == reader().read(reply(good))
