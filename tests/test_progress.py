"""The progress line, and what it is drawn from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.cli.progress import BAR, Progress, line, minutes, remaining


def update(seq: int, progress: float, **changed: object) -> dict[str, object]:
    return {
        "seq": seq, "status": "processing", "stage": "processing", "progress": progress, "progressEstimated": False,
        "step": "progress", "message": f"{progress:.0f} % done.", "error": None,
    } | changed  # fmt: skip


def test_half_done_is_half_a_bar_with_the_time_that_is_left() -> None:
    known = Progress().after(update(3, 50.0))
    assert line(known, elapsed=30.0, width=80, blocks=False) == (
        "############------------    50 %  0:30  about 0:30 left"
    )


def test_a_guess_is_marked_as_one() -> None:
    known = Progress().after(update(3, 50.0, progressEstimated=True))
    assert "~50 %" in line(known, 30.0, 80)


def test_what_happens_besides_progress_is_said() -> None:
    known = Progress().after(update(4, 99.0, step="downloading", message="Finished upstream; downloading."))
    assert line(known, 61.0, 80).endswith("99 %  1:01  Finished upstream; downloading.")


def test_a_completed_job_is_a_full_bar() -> None:
    done = Progress().after(update(9, 100.0, status="completed", step="done", message="The video is ready."))
    assert done.final
    assert line(done, 8.0, 80) == "█" * BAR + "   100 %  0:08  The video is ready."


def test_older_news_changes_nothing() -> None:
    known = Progress().after(update(5, 60.0))
    assert known.after(update(4, 40.0)) is known


def test_a_snapshot_without_a_sentence_says_where_it_is_or_what_is_wrong() -> None:
    snapshot = update(2, 0.0, stage="queued", note="")
    del snapshot["message"], snapshot["step"]
    assert Progress().after(snapshot).message == "Queued."
    assert Progress().after(snapshot | {"note": "lab is paused"}).message == "lab is paused"
    assert Progress().after(snapshot | {"error": {"message": "Refused."}}).message == "Refused."


def test_nothing_is_guessed_from_a_beginning_or_an_end() -> None:
    assert remaining(Progress("processing", 1.0), 5.0) is None
    assert remaining(Progress("processing", 99.0), 5.0) is None
    assert remaining(Progress("completed", 50.0), 5.0) is None


def test_a_message_from_an_upstream_cannot_steer_the_terminal() -> None:
    known = Progress(message="\x1b[2Jgone\r\nover", step="failed")
    assert "\x1b" not in line(known, 0.0, 200)
    assert "\n" not in line(known, 0.0, 200)


@given(
    progress=st.floats(0, 100),
    elapsed=st.floats(0, 1e6),
    width=st.integers(1, 200),
    message=st.text(max_size=200),
)
def test_the_line_always_fits(progress: float, elapsed: float, width: int, message: str) -> None:
    text = line(Progress("processing", progress, message=message), elapsed, width)
    assert len(text) <= width


def test_a_message_in_chinese_takes_two_columns_a_character() -> None:
    known = Progress("failed", message="提示词被审核拒绝", step="failed")
    start = line(Progress("failed", step="failed"), 0.0, 200)
    assert line(known, 0.0, len(start) + 16).endswith("提示词被审核拒绝")
    assert line(known, 0.0, len(start) + 15).endswith("提示词被审核拒")


def test_times_are_minutes_and_seconds() -> None:
    assert [minutes(seconds) for seconds in (0, 59.6, 61, 3600)] == ["0:00", "1:00", "1:01", "60:00"]
