"""LiteLLM's ids as its proxy 1.106.2 wrote them: the create's names the model, the look's does not."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.upstream.wrapped_ids import without_model

OF_THE_CREATE = (
    "video_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTttb2RlbF9pZDpzb3JhLTI7dmlkZW9faWQ6"
    "dmlkZW9fc2ltX2ZjNGMwYmYzMDlmNTRjZTMxZWYyYTM3YWNhZjM3ODJh"
)
OF_THE_LOOK = (
    "video_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTttb2RlbF9pZDo7dmlkZW9faWQ6"
    "dmlkZW9fc2ltX2ZjNGMwYmYzMDlmNTRjZTMxZWYyYTM3YWNhZjM3ODJh"
)


def wrapped(provider: str, model: str, video: str) -> str:
    text = f"litellm:custom_llm_provider:{provider};model_id:{model};video_id:{video}"
    return f"video_{base64.b64encode(text.encode()).decode()}"


def test_both_ids_are_of_one_video() -> None:
    assert without_model(OF_THE_CREATE) == without_model(OF_THE_LOOK)


def test_another_video_or_another_provider_is_another_job() -> None:
    ids = [
        wrapped("openai", "a", "video_1"),
        wrapped("openai", "a", "video_2"),
        wrapped("azure", "a", "video_1"),
    ]
    assert len({without_model(one) for one in ids}) == 3


@pytest.mark.parametrize(
    "other",
    ["", "video_", "video_68d7", "task_9fQ", "video_bGl0ZWxsbQ==", "video_ü", "video_/w==", "sora-2:task_1"],
)
def test_ids_of_other_servers_stay_as_they_are(other: str) -> None:
    assert without_model(other) == other


@given(st.text(max_size=80))
def test_no_id_is_too_strange(anything: str) -> None:
    assert without_model(f"video_{anything}").startswith(("video_", "litellm:"))
