"""kill -9 at every step of a job's life, with an upstream in another process that writes down what it was paid for.

After a restart the job is there if it was acknowledged, it has ended as it must, it was paid at most once, its
file is whole and the books balance. ``make kill-test`` adds tests/test_kills_full.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.killing import Case, House, all_keep_their_promises, commit, kill_house, killed

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with kill_house(tmp_path_factory.mktemp("kills")) as house:
        yield house


async def test_killed_at_the_accept_the_job_is_there_whole_or_not_at_all(house: House) -> None:
    await all_keep_their_promises(house, commit("accept", ("absent", 0)))


async def test_killed_at_the_intent_nothing_was_paid_and_what_is_not_known_is_said_so(house: House) -> None:
    await all_keep_their_promises(house, commit("intent", ("completed", 1), ("unknown", 0)))


async def test_killed_around_the_paid_create_it_is_never_sent_again(house: House) -> None:
    cases = [
        Case("create:before", ("unknown",), (0,)),
        Case("create:taken", ("unknown",), (1,), "[[fault:create_hang=5]]"),
        Case("create:answered", ("unknown",), (1,)),
    ]
    await all_keep_their_promises(house, cases)


async def test_killed_at_the_receipt_the_job_is_known_or_in_doubt_and_paid_once(house: House) -> None:
    await all_keep_their_promises(house, commit("receipt", ("unknown", 1)))


async def test_killed_when_the_doubt_is_written_down_it_stays_a_doubt(house: House) -> None:
    doubt = ("unknown", 1)
    await all_keep_their_promises(house, commit("doubt", doubt, doubt, faults="[[fault:create_drop]]"))


async def test_killed_when_a_busy_upstream_is_to_be_asked_again_it_is_paid_once(house: House) -> None:
    cases = commit("postponed", ("unknown", 0), faults="[[fault:create_429=0.1]]")
    await all_keep_their_promises(house, cases)


async def test_killed_at_a_poll_the_watching_goes_on(house: House) -> None:
    # It lasts, so that even a busy machine looks while the upstream is at work.
    polls = commit("poll", ("completed", 1), faults="[[fault:duration=2]]")
    await all_keep_their_promises(house, [Case("look:before"), Case("look:answered"), *polls])


async def test_killed_when_the_upstream_has_finished_the_file_is_still_fetched(house: House) -> None:
    await all_keep_their_promises(house, commit("finished", ("completed", 1)))


async def test_killed_in_the_middle_of_the_download_it_goes_on(house: House) -> None:
    moments = ("begun", "middle", "whole", "counted", "verified")
    await all_keep_their_promises(house, [Case(f"download:{moment}") for moment in moments])


async def test_killed_around_the_rename_there_is_one_whole_file(house: House) -> None:
    points = ("rename:before", "rename:after", "rename:placed", "still:after")
    cases = [Case(point) for point in points]
    # The file is here: that the upstream has dropped it meanwhile changes nothing.
    await all_keep_their_promises(house, [*cases, Case("rename:after", forgotten=True)])


async def test_killed_at_the_final_commit_it_is_settled_once(house: House) -> None:
    await all_keep_their_promises(house, commit("stored", ("completed", 1)))


async def test_killed_at_the_wish_to_cancel_it_is_honoured_if_it_was_stored(house: House) -> None:
    await all_keep_their_promises(house, commit("cancel", ("completed", 1), ("cancelled", 1), then="cancel"))


async def test_killed_while_the_upstream_is_told_to_stop_it_is_told_again(house: House) -> None:
    cancelled = ("cancelled", 1)
    cases = [
        Case("stop:before", ("cancelled",), then="cancel"),
        Case("stop:answered", ("cancelled",), then="cancel"),
        *commit("cancelled", cancelled, cancelled, then="cancel"),
    ]
    await all_keep_their_promises(house, cases)


async def test_killed_at_a_delete_the_files_are_there_or_gone_with_the_job(house: House) -> None:
    await all_keep_their_promises(house, commit("deleted", ("completed", 1), then="delete"))


# --- would these tests notice? -----------------------------------------------------------------------


async def test_a_gateway_that_sends_again_what_a_crash_interrupted_is_found_out(house: House) -> None:
    seen = await killed(house, Case("create:answered", options=("--mutant", "requeue_on_boot")))
    assert seen.broken == ["one job was paid 2 times"]


async def test_a_gateway_that_acknowledges_before_it_has_stored_is_found_out(house: House) -> None:
    seen = await killed(house, Case("accept:during", options=("--mutant", "told_before_stored")))
    assert (seen.ends, len(seen.broken)) == ([], 1)
    assert "was acknowledged and is gone" in seen.broken[0]
