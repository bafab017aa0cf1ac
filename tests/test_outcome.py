"""The create-outcome table, row by row. The same rows over real sockets: tests/test_upstream_create.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.outcome import CreateAnswer, OutcomeClass, RejectRules, classify, valid_external_id

PLAIN = RejectRules()
K = OutcomeClass


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (CreateAnswer(not_sent="connection refused"), K.NOT_SENT),
        (CreateAnswer(status=429), K.REFUSED_FOR_NOW),
        (CreateAnswer(status=503, retry_after=5.0), K.REFUSED_FOR_NOW),
        (CreateAnswer(status=401), K.OUT_OF_ORDER),
        (CreateAnswer(status=402), K.OUT_OF_ORDER),
        (CreateAnswer(status=403), K.OUT_OF_ORDER),
        (CreateAnswer(status=403, error_code="moderation_blocked"), K.REFUSED),
        (CreateAnswer(status=429, error_code="insufficient_quota"), K.OUT_OF_ORDER),
        (CreateAnswer(status=400, error_code="billing_hard_limit_reached"), K.OUT_OF_ORDER),
        (CreateAnswer(status=403, error_code="insufficient_user_quota"), K.OUT_OF_ORDER),
        (CreateAnswer(status=500, error_code="insufficient_quota"), K.UNKNOWN),
        *[(CreateAnswer(status=status), K.REFUSED) for status in (400, 404, 405, 413, 415, 422)],
        (CreateAnswer(status=409, own_key=True, external_id="ext-1"), K.KNOWN),
        (CreateAnswer(status=200, external_id="ext-1"), K.RECEIPT),
        (CreateAnswer(status=201, external_id="ext-1"), K.RECEIPT),
        (CreateAnswer(status=202, external_id="ext-1"), K.RECEIPT),
        (CreateAnswer(lost="read timeout"), K.UNKNOWN),
        (CreateAnswer(status=409, external_id="ext-1"), K.UNKNOWN),
        (CreateAnswer(status=200), K.UNKNOWN),
        (CreateAnswer(status=200, parsed=False), K.UNKNOWN),
        (CreateAnswer(status=200, external_id="../../etc/passwd"), K.UNKNOWN),
        *[
            (CreateAnswer(status=status), K.UNKNOWN)
            for status in (301, 302, 307, 408, 418, 425, 500, 502, 503, 504)
        ],
    ],
)
def test_each_row_of_the_table(answer: CreateAnswer, kind: OutcomeClass) -> None:
    assert classify(answer, PLAIN).kind is kind


def test_a_profile_may_know_statuses_that_precede_any_charge() -> None:
    answer = CreateAnswer(status=500)
    assert classify(answer, RejectRules(frozenset({500}))).kind is K.REFUSED_FOR_NOW


def test_an_id_that_another_job_has_proves_nothing() -> None:
    assert classify(CreateAnswer(status=200, external_id="ext-1"), PLAIN, id_is_new=False).kind is K.UNKNOWN


def test_moderation_has_one_code_for_people() -> None:
    outcome = classify(
        CreateAnswer(status=400, error_code="content_policy_violation", error_message="No."), PLAIN
    )
    assert (outcome.code, outcome.message) == ("moderation_blocked", "No.")


@pytest.mark.parametrize(
    "text", ["", "..", "a/../b", "a b", "a\r\nb", "ä", "a%2fb", "x" * 513, 7, None, {"id": "x"}]
)
def test_what_cannot_be_an_external_id(text: object) -> None:
    assert valid_external_id(text) is None


@pytest.mark.parametrize(
    "text", ["video_123", "sora-2:task_01k7", "video_bGl0ZWxsbQ==", "models/veo/operations/x", "x" * 512]
)
def test_what_upstreams_really_use_as_ids(text: str) -> None:
    assert valid_external_id(text) == text


@given(
    status=st.integers(100, 599),
    code=st.text(max_size=20),
    retry_after=st.none() | st.floats(0, 900),
    external_id=st.none() | st.text(max_size=20),
    parsed=st.booleans(),
)
def test_only_a_2xx_with_a_good_id_is_a_receipt(
    status: int, code: str, retry_after: float | None, external_id: str | None, parsed: bool
) -> None:
    answer = CreateAnswer(
        status=status, error_code=code, retry_after=retry_after, external_id=external_id, parsed=parsed
    )
    outcome = classify(answer, PLAIN)
    good = 200 <= status < 300 and parsed and valid_external_id(external_id) is not None
    assert (outcome.kind is K.RECEIPT) == good
    assert (outcome.external_id is not None) == good
