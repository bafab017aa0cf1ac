"""Which of an upstream's videos is whose: every verdict on creates whose answer was lost."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.job import ExternalId, JobId
from sora_gateway.core.observation import Listed, Look, LookKind
from sora_gateway.core.reconcile import (
    EARLY,
    KEY_LIFETIME,
    LATE,
    NEVER,
    RESENDS,
    Kind,
    Seen,
    Standing,
    Unanswered,
    Verdict,
    begin,
    covered_since,
    judge,
    looks,
    next_moment,
)

SENT = 1_800_000_000.0
TIMEOUT = 60.0
WHOLE = -NEVER
"""A list that has everything there ever was."""
ALIVE = Look(LookKind.ALIVE, "queued")


def create(job: str = "video_a", **other: Any) -> Unanswered:
    fields: dict[str, Any] = {
        "job_id": JobId(job),
        "attempt_id": f"attempt_of_{job}",
        "number": 1,
        "owner": "ada",
        "prompt": "a lighthouse in a storm",
        "model": "wan-2.2",
        "seconds": 8,
        "size": "1280x720",
        "made_from": "create",
        "sent_at": SENT,
        "standing": Standing.DOUBTFUL,
    }
    return Unanswered(**(fields | other))


def row(external_id: str = "ext-1", **other: Any) -> Listed:
    fields: dict[str, Any] = {
        "look": ALIVE,
        "created_at": SENT,
        "prompt": "a lighthouse in a storm",
        "model": "wan-2.2",
        "seconds": "8",
        "size": "1280x720",
    }
    return Listed(ExternalId(external_id), **(fields | other))


def seen(*rows: Listed, **other: Any) -> Seen:
    return Seen(rows, **({"since": WHOLE, "skew": 0.0} | other))


def verdict(create: Unanswered, list_: Seen, *others: Unanswered) -> Verdict:
    return judge([create, *others], list_, TIMEOUT)[create.job_id]


# --- one doubt ---------------------------------------------------------------------------------------


def test_the_one_video_that_fits_is_it() -> None:
    found = verdict(create(), seen(row("other", prompt="a harbour"), row("ext-7")))
    assert (found.kind, found.external_id) == (Kind.FOUND, "ext-7")


def test_two_videos_that_fit_are_for_a_person_to_tell_apart() -> None:
    found = verdict(create(), seen(row("ext-2"), row("ext-1")))
    assert (found.kind, found.external_id) == (Kind.AMBIGUOUS, None)
    assert [each.external_id for each in found.candidates] == ["ext-2", "ext-1"], "newest first"


def test_a_video_of_another_job_is_not_it() -> None:
    assert verdict(create(), seen(row(), linked=frozenset({ExternalId("ext-1")}))).kind is Kind.ABSENT


@pytest.mark.parametrize(
    "told",
    [
        {"prompt": "  a lighthouse\nin a storm "},
        {"seconds": "8.0"},
        {"seconds": "8s"},
        {"size": "1280X720"},
        {"size": "1280 x 720"},
        {"size": "1280*720"},
        {"model": "Wan-2.2"},
        {"model": None, "seconds": None, "size": None},
        {"seconds": "long", "size": "720p"},
    ],
    ids=str,
)
def test_what_is_told_in_another_way_or_not_at_all_is_no_difference(told: dict[str, Any]) -> None:
    assert verdict(create(), seen(row(**told))).kind is Kind.FOUND


@pytest.mark.parametrize(
    "told", [{"model": "wan-2.2-turbo"}, {"seconds": "4"}, {"size": "720x1280"}], ids=str
)
def test_the_same_prompt_with_other_numbers_is_neither_adopted_nor_ruled_out(told: dict[str, Any]) -> None:
    found = verdict(create(), seen(row(**told)))
    assert (found.kind, len(found.candidates)) == (Kind.NOT_SEEN, 1)


def test_another_prompt_is_another_video() -> None:
    assert verdict(create(), seen(row(prompt="a lighthouse"))).kind is Kind.ABSENT


class TestAListWithoutPrompts:
    """SGLang's: only time, size, duration and model."""

    def test_is_enough_where_one_video_and_one_doubt_meet(self) -> None:
        assert verdict(create(), seen(row(prompt=None))).kind is Kind.FOUND

    def test_tells_less_apart(self) -> None:
        other = create("video_b", prompt="a harbour", sent_at=SENT + 1)
        list_ = seen(row("ext-2", prompt=None, created_at=SENT + 1), row("ext-1", prompt=None))
        assert verdict(create(), list_, other).kind is Kind.AMBIGUOUS

    @pytest.mark.parametrize("told", [{"seconds": "4"}, {"size": "720x1280"}], ids=str)
    def test_still_rules_out_another_order(self, told: dict[str, Any]) -> None:
        assert verdict(create(), seen(row(prompt=None, **told))).kind is Kind.ABSENT

    @pytest.mark.parametrize("told", [{"seconds": None}, {"size": None}, {"model": "other"}], ids=str)
    def test_that_tells_too_little_proves_nothing(self, told: dict[str, Any]) -> None:
        assert verdict(create(), seen(row(prompt=None, **told))).kind is Kind.NOT_SEEN


# --- when it was made --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made_at", "kind"),
    [
        (SENT - EARLY - 1, Kind.ABSENT),
        (SENT - EARLY, Kind.FOUND),
        (SENT + TIMEOUT + LATE, Kind.FOUND),
        (SENT + TIMEOUT + LATE + 1, Kind.ABSENT),
        (None, Kind.NOT_SEEN),
    ],
)
def test_it_was_made_between_the_sending_and_a_while_after_the_deadline(
    made_at: float | None, kind: Kind
) -> None:
    assert verdict(create(), seen(row(created_at=made_at))).kind is kind


@pytest.mark.parametrize("skew", [-7200.0, -90.0, 300.0, 7200.0])
def test_an_upstream_whose_clock_is_off_is_understood(skew: float) -> None:
    ours, before = row("ext-2", created_at=SENT + skew), row("ext-1", created_at=SENT - 600 + skew)
    found = verdict(create(), seen(ours, before, skew=skew))
    assert found.external_id == "ext-2"


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_a_video_that_fits_only_if_the_clocks_agree_after_all_is_not_ruled_out(skew: float) -> None:
    assert verdict(create(), seen(row(), skew=skew)).kind is Kind.NOT_SEEN


def test_without_the_upstreams_clock_a_video_at_another_time_is_not_ruled_out() -> None:
    assert verdict(create(), seen(row(created_at=SENT - 3600), skew=None)).kind is Kind.NOT_SEEN
    assert verdict(create(), seen(row(), skew=None)).kind is Kind.FOUND


# --- what a list proves ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "skew", "kind"),
    [
        (WHOLE, 0.0, Kind.ABSENT),
        (SENT - EARLY, 0.0, Kind.ABSENT),
        (SENT - EARLY + 1, 0.0, Kind.NOT_SEEN),
        (NEVER, 0.0, Kind.NOT_SEEN),
        (SENT - EARLY, 50.0, Kind.ABSENT),
        (SENT - EARLY, -50.0, Kind.NOT_SEEN),
        (SENT - 3600, None, Kind.NOT_SEEN),
        (WHOLE, None, Kind.ABSENT),
    ],
)
def test_only_a_list_that_reaches_back_far_enough_proves_that_it_is_not_there(
    since: float, skew: float | None, kind: Kind
) -> None:
    assert verdict(create(), seen(since=since, skew=skew)).kind is kind


def test_pages_reach_back_to_their_oldest_row_if_they_are_newest_first() -> None:
    first, second = [row(created_at=9.0), row(created_at=7.0)], [row(created_at=7.0), row(created_at=3.0)]
    assert covered_since([first, second]) == 3.0
    assert covered_since([second, first]) == NEVER
    assert covered_since([[row(created_at=9.0), row(created_at=None)]]) == NEVER
    assert covered_since([]) == NEVER
    assert begin(SENT, -50.0) == SENT - EARLY - 50.0


# --- our own word for it -----------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["attempt_of_video_a", "video_a-1"])
def test_our_own_word_decides_whatever_else_is_told(token: str) -> None:
    twins = [row("ext-2"), row("ext-1", token=token, prompt="rewritten", created_at=None)]
    found = verdict(create(), seen(*twins), create("video_b", owner="ben"))
    assert (found.kind, found.external_id) == (Kind.FOUND, "ext-1")


def test_a_video_with_somebody_elses_word_is_not_it() -> None:
    assert verdict(create(), seen(row(token="attempt_of_nobody"))).kind is Kind.ABSENT


def test_a_word_that_two_videos_carry_decides_nothing() -> None:
    word = "attempt_of_video_a"
    assert verdict(create(), seen(row("ext-2", token=word), row("ext-1", token=word))).kind is Kind.AMBIGUOUS


# --- twins -------------------------------------------------------------------------------------------


def twins(number: int, **other: Any) -> list[Unanswered]:
    return [create(f"video_{count}", sent_at=SENT + count, **other) for count in range(number)]


def rows(number: int, **other: Any) -> list[Listed]:
    """As many as are wanted, a second apart, newest first."""
    made = [row(f"ext-{count}", created_at=SENT + count, **other) for count in range(number)]
    return made[::-1]


@pytest.mark.parametrize("number", [2, 5])
def test_one_persons_equal_creates_are_paired_in_order(number: int) -> None:
    verdicts = judge(twins(number), seen(*rows(number)), TIMEOUT)
    assert {job: each.external_id for job, each in verdicts.items()} == {
        f"video_{count}": f"ext-{count}" for count in range(number)
    }


def test_within_one_second_the_lists_own_order_counts() -> None:
    same_second = [replace(each, created_at=SENT) for each in rows(5)]
    verdicts = judge(twins(5), seen(*same_second), TIMEOUT)
    assert [verdicts[JobId(f"video_{count}")].external_id for count in range(5)] == [
        f"ext-{count}" for count in range(5)
    ]


@pytest.mark.parametrize(("doubts", "videos"), [(2, 1), (1, 2), (5, 4), (4, 5)])
def test_with_more_of_one_than_of_the_other_nobody_is_paired(doubts: int, videos: int) -> None:
    verdicts = judge(twins(doubts), seen(*rows(videos)), TIMEOUT)
    assert {each.kind for each in verdicts.values()} == {Kind.AMBIGUOUS}
    assert {len(each.candidates) for each in verdicts.values()} == {videos}


def test_equal_creates_of_two_people_are_never_paired() -> None:
    hers, his = create("video_a"), create("video_b", owner="ben", sent_at=SENT + 1)
    for list_ in (seen(*rows(2)), seen(*rows(1))):
        assert {each.kind for each in judge([hers, his], list_, TIMEOUT).values()} == {Kind.AMBIGUOUS}


def test_equal_words_with_other_pictures_are_not_paired() -> None:
    plain, pictured = create("video_a"), create("video_b", made_from="create reference:1f", sent_at=SENT + 1)
    verdicts = judge([plain, pictured], seen(*rows(2)), TIMEOUT)
    assert {each.kind for each in verdicts.values()} == {Kind.AMBIGUOUS}


def test_twins_whose_times_only_touch_are_paired_only_with_what_fits_both() -> None:
    first, second = create("video_a"), create("video_b", sent_at=SENT + 100)
    list_ = seen(row("ext-2", created_at=SENT + 101), row("ext-1", created_at=SENT + 1))
    verdicts = judge([first, second], list_, TIMEOUT)
    assert [verdicts[each.job_id].external_id for each in (first, second)] == ["ext-1", "ext-2"]
    # Both could be the first one's, and none the second one's.
    late = seen(row("ext-2", created_at=SENT + 20), row("ext-1", created_at=SENT + 1))
    assert judge([first, second], late, TIMEOUT)[first.job_id].kind is Kind.AMBIGUOUS


def test_a_video_that_another_person_may_have_under_another_name_is_for_a_person_to_give() -> None:
    other = create("video_b", owner="ben", model="wan-2.2-turbo")
    assert verdict(create(), seen(row()), other).kind is Kind.AMBIGUOUS


# --- others who may own a video ----------------------------------------------------------------------


def test_a_create_under_way_may_own_the_video_and_says_so_soon() -> None:
    other = create("video_b", owner="ben", standing=Standing.UNDER_WAY, sent_at=SENT + 5)
    verdicts = judge([create(), other], seen(row(created_at=SENT + 5)), TIMEOUT)
    assert {job: each.kind for job, each in verdicts.items()} == {"video_a": Kind.AMBIGUOUS}


def test_a_create_that_was_given_up_may_own_the_video_all_the_same() -> None:
    ghost = create("video_b", owner="ben", standing=Standing.CLOSED, sent_at=SENT - 2)
    assert verdict(create(), seen(row()), ghost).kind is Kind.AMBIGUOUS


def test_of_two_attempts_for_one_job_either_may_have_made_the_video() -> None:
    first = create(number=1, attempt_id="attempt_1", standing=Standing.CLOSED)
    second = create(number=2, attempt_id="attempt_2", sent_at=SENT + 30)
    assert verdict(second, seen(row(created_at=SENT + 30)), first).external_id == "ext-1"
    assert verdict(second, seen(row(created_at=SENT)), first).kind is Kind.ABSENT
    both = seen(row("ext-2", created_at=SENT + 30), row("ext-1", created_at=SENT))
    assert verdict(second, both, first).external_id == "ext-2"


# --- when to look ------------------------------------------------------------------------------------


def test_the_list_is_looked_at_three_times() -> None:
    age, done, ages = 0.0, None, []
    while (delay := next_moment(looks(TIMEOUT), age, done)) is not None:
        age = done = age + delay
        ages.append(age)
    assert ages == [15.0, 60.0, 180.0]


def test_a_create_that_may_take_long_settles_later() -> None:
    assert looks(TIMEOUT)[-1] == 180.0
    assert looks(600.0)[-1] == 720.0
    assert next_moment(looks(600.0), 200.0, 200.0) == 520.0


def test_what_became_due_while_nobody_looked_is_one_look() -> None:
    assert next_moment(looks(TIMEOUT), 86400.0, None) == 0.0
    assert next_moment(looks(TIMEOUT), 86400.0, 86400.0) is None
    assert next_moment(looks(TIMEOUT), 70.0, None) == 0.0
    assert next_moment(looks(TIMEOUT), 70.0, 70.0) == 110.0


def test_a_clock_that_was_set_back_makes_nobody_wait_for_ever() -> None:
    assert next_moment(looks(TIMEOUT), -86400.0, None) == 180.0


def test_a_create_is_sent_again_only_while_its_key_is_kept() -> None:
    assert max(RESENDS) + 3600 <= KEY_LIFETIME < 86400


# --- whatever the list says --------------------------------------------------------------------------

PROMPTS = st.sampled_from(["a", "b", None])
creates = st.builds(
    lambda owner, prompt, sent, standing, picture: {
        "owner": owner, "prompt": prompt or "a", "sent_at": SENT + sent, "standing": standing, "made_from": picture,
    },
    st.sampled_from(["ada", "ben"]), PROMPTS, st.integers(0, 300), st.sampled_from(Standing),
    st.sampled_from(["create", "create reference:1f"]),
)  # fmt: skip
listed = st.builds(
    lambda prompt, made, seconds, size, model: {
        "prompt": prompt, "created_at": made and SENT + made, "seconds": seconds, "size": size, "model": model,
    },
    PROMPTS, st.none() | st.integers(-20, 600), st.sampled_from(["8", "4", None]),
    st.sampled_from(["1280x720", None]), st.sampled_from(["wan-2.2", "other", None]),
)  # fmt: skip


def worlds() -> st.SearchStrategy[tuple[list[Unanswered], Seen]]:
    def made(orders: list[dict[str, Any]], told: list[dict[str, Any]], known: int, skew: float | None) -> Any:
        videos = [row(f"ext-{number}", **fields) for number, fields in enumerate(told)]
        return (
            [create(f"video_{number}", **fields) for number, fields in enumerate(orders)],
            seen(*videos, linked=frozenset(each.external_id for each in videos[:known]), skew=skew),
        )

    return st.builds(
        made, st.lists(creates, max_size=6), st.lists(listed, max_size=6), st.integers(0, 2),
        st.sampled_from([None, 0.0, 40.0, -40.0]),
    )  # fmt: skip


@given(worlds())
def test_every_doubt_has_a_verdict_and_nothing_else_has(world: tuple[list[Unanswered], Seen]) -> None:
    orders, list_ = world
    doubts = {each.job_id for each in orders if each.standing is Standing.DOUBTFUL}
    assert set(judge(orders, list_, TIMEOUT)) == doubts


@given(worlds())
def test_a_video_is_given_to_one_job_and_never_one_that_has_an_owner(
    world: tuple[list[Unanswered], Seen],
) -> None:
    orders, list_ = world
    given_away = [each.external_id for each in judge(orders, list_, TIMEOUT).values() if each.external_id]
    assert len(given_away) == len(set(given_away))
    assert not set(given_away) & list_.linked


@given(worlds())
def test_what_is_found_agrees_with_everything_that_is_told(world: tuple[list[Unanswered], Seen]) -> None:
    orders, list_ = world
    by_id = {each.external_id: each for each in list_.rows}
    for order in orders:
        found = judge(orders, list_, TIMEOUT).get(order.job_id)
        if found is not None and found.external_id is not None:
            video = by_id[found.external_id]
            assert video.prompt in (None, order.prompt)
            assert (video.seconds, video.model) in itertools.product(("8", None), ("wan-2.2", None))
            assert video.created_at is not None
            age = video.created_at - (list_.skew or 0) - order.sent_at
            assert -EARLY <= age <= TIMEOUT + LATE


@given(worlds())
def test_nobody_gets_a_video_that_may_be_another_persons(world: tuple[list[Unanswered], Seen]) -> None:
    orders, list_ = world
    by_id = {each.external_id: each for each in list_.rows}
    for order in orders:
        found = judge(orders, list_, TIMEOUT).get(order.job_id)
        if found is None or found.external_id is None:
            continue
        video = by_id[found.external_id]
        for other in orders:
            if other.owner != order.owner:
                alone = replace(other, standing=Standing.DOUBTFUL)
                assert verdict(alone, seen(video, skew=list_.skew)).kind is Kind.ABSENT


@given(worlds())
def test_what_is_called_absent_shares_its_prompt_with_no_video_of_its_time(
    world: tuple[list[Unanswered], Seen],
) -> None:
    orders, list_ = world
    for order in orders:
        found = judge(orders, list_, TIMEOUT).get(order.job_id)
        if found is not None and found.kind is Kind.ABSENT:
            for video in list_.rows:
                if video.external_id not in list_.linked and video.prompt == order.prompt:
                    assert video.created_at is not None
                    age = video.created_at - (list_.skew or 0) - order.sent_at
                    assert not -EARLY <= age <= TIMEOUT + LATE


@given(worlds(), st.randoms())
def test_the_order_in_which_the_creates_are_told_of_changes_nothing(
    world: tuple[list[Unanswered], Seen], chance: Any
) -> None:
    orders, list_ = world
    # Of two that were sent in the same moment either may be the first.
    moments = [each.sent_at for each in orders]
    if len(set(moments)) == len(moments):
        shuffled = chance.sample(orders, len(orders))
        assert judge(shuffled, list_, TIMEOUT) == judge(orders, list_, TIMEOUT)


@given(worlds(), st.integers(0, 600))
def test_a_video_of_another_prompt_changes_nothing(world: tuple[list[Unanswered], Seen], made: int) -> None:
    orders, list_ = world
    more = replace(list_, rows=(row("another", prompt="c", created_at=SENT + made), *list_.rows))
    assert judge(orders, more, TIMEOUT) == judge(orders, list_, TIMEOUT)
