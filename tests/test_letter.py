"""The message of an event: put together from what is stored, and the same as the model would make it."""

from __future__ import annotations

import json

import pytest

from sora_gateway.core import job as j
from sora_gateway.core.messages import StoredEvent, update_of
from sora_gateway.realtime.framing import bare_text, chunk, event, event_chunk, text_frame
from sora_gateway.realtime.letter import Letter
from tests.jobs import make_job, to_completed, to_processing
from tests.live import urls_of
from tests.stores import EPOCH
from tests.test_hub import Log


def every_event() -> list[StoredEvent]:
    log = Log()
    job = make_job(prompt='quotes " and \\ and 雨 and \u2028')
    events = [log.accept(job)]
    for change in (
        *to_processing("ext-1"),
        j.Waiting(1.0, 'said "no" \\ 雨'),
        *to_completed(),
        j.Deleted(2.0),
    ):
        variants = ["thumbnail", "video"] if isinstance(change, j.Stored) else []
        job, told = log.change(job, change, variants)
        events.append(told)
    return events


@pytest.mark.parametrize("told", every_event(), ids=lambda told: told.step)
def test_what_is_put_together_is_what_the_model_says(told: StoredEvent) -> None:
    letter = Letter(told, EPOCH, urls_of)
    assert json.loads(letter.text) == json.loads(
        update_of(told, EPOCH, urls_of).model_dump_json(by_alias=True)
    )
    assert letter.size == len(letter.text.encode())


def test_a_form_is_made_once() -> None:
    letter = Letter(every_event()[0], EPOCH, urls_of)
    assert letter.framed(text_frame) is letter.framed(text_frame)
    assert bare_text(letter) == letter.text.encode()
    said = event(letter)
    assert said == f"id: {EPOCH}-1\nevent: update\ndata: {letter.text}\n\n".encode()
    assert event_chunk(letter) == chunk(said) == f"{len(said):x}\r\n".encode() + said + b"\r\n"
