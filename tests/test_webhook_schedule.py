"""What is told to webhooks, how it is signed, and when it is tried again: pure functions."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sora_gateway.core.states import ENDED
from sora_gateway.core.webhook_signature import is_signed, signature
from sora_gateway.core.webhooks import DEFAULT_EVENTS, JITTER, WAITS, Answer, event_of, message_id, next_wait
from tests.examples import examples
from tests.receivers import answered

fractions = st.floats(0, 1, exclude_max=True)
failures = st.sampled_from([None, 301, 400, 404, 429, 500, 503])
NOW = 1_800_000_000.0
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def test_ten_tries_lie_over_three_days() -> None:
    hours = sum(WAITS) / 3600
    assert len(WAITS) == 9
    assert 72 < hours < 80
    assert hours * (1 - JITTER) > 65


def test_without_jitter_it_is_the_schedule() -> None:
    found = [next_wait(tries, 0.5, answered(500)) for tries in range(1, 11)]
    assert found[:-1] == pytest.approx([5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400])
    assert found[-1] is None


@settings(max_examples=examples(200))
@given(st.integers(1, 9), fractions, failures)
def test_every_wait_is_near_the_schedules(tries: int, fraction: float, status: int | None) -> None:
    wait = next_wait(tries, fraction, answered(status))
    assert wait is not None
    assert abs(wait - WAITS[tries - 1]) <= JITTER * WAITS[tries - 1] + 1e-6


@settings(max_examples=examples(200))
@given(st.integers(1, 9), fractions, failures, st.floats(0, 900))
def test_who_is_overloaded_gets_the_time_that_they_ask_for_and_nobody_comes_sooner(
    tries: int, fraction: float, status: int | None, asked: float
) -> None:
    plain, wait = (next_wait(tries, fraction, answered(status, each)) for each in (None, asked))
    assert plain is not None
    assert wait == (max(plain, asked) if status in (429, 503) else plain)


@given(st.integers(1, 20), fractions)
def test_what_is_gone_is_tried_no_more(tries: int, fraction: float) -> None:
    assert next_wait(tries, fraction, answered(410)) is None


@given(st.integers(100, 599))
def test_only_2xx_is_delivered(status: int) -> None:
    assert Answer(status, "", 0.0).delivered == (200 <= status <= 299)
    assert not Answer(None, "nobody there", 0.0).delivered


def test_every_end_of_a_video_has_a_type_of_its_own() -> None:
    told = {event_of(state) for state in ENDED}
    assert told == {"video.completed", "video.failed", "video.cancelled"}
    assert set(DEFAULT_EVENTS) == {"video.completed", "video.failed"}


@settings(max_examples=examples(200))
@given(st.lists(st.tuples(st.text(), st.text(), st.text(), st.integers(0)), unique=True, max_size=20))
def test_each_message_has_an_id_of_its_own_and_keeps_it(told: list[tuple[str, str, str, int]]) -> None:
    told = [(*(word.replace("|", "") for word in words), version) for *words, version in told]  # type: ignore[misc]  # three
    ids = {each: message_id(*each) for each in told}
    assert len(set(ids.values())) == len(ids)
    assert all(message_id(*each) == id and len(id) == 36 for each, id in ids.items())


@settings(max_examples=examples(200))
@given(st.binary(max_size=200), st.binary(min_size=24, max_size=40), st.integers(0, 100))
def test_what_is_signed_is_known_by_its_receiver_and_nothing_else_is(
    body: bytes, key: bytes, late: int
) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    timestamp = str(int(NOW) - late)
    signed = signature(secret, "msg_1", timestamp, body)
    assert is_signed(secret, "msg_1", timestamp, signed, body, NOW)
    assert not is_signed(secret, "msg_2", timestamp, signed, body, NOW)
    assert not is_signed(secret, "msg_1", timestamp, signed, body + b" ", NOW)
    other = SECRET if secret != SECRET else SECRET[:-4] + "AAA="
    assert not is_signed(other, "msg_1", timestamp, signed, body, NOW)
    # During a rotation there are two; either is enough.
    assert is_signed(
        secret, "msg_1", timestamp, f"{signature(other, 'msg_1', timestamp, body)} {signed}", body, NOW
    )


def test_the_example_of_the_standard_comes_out_as_it_has_it() -> None:
    """From the specification of Standard Webhooks."""
    secret = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    assert (
        signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )
