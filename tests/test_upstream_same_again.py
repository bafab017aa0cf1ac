"""A create that is sent again with its idempotency key: the same request to the last byte, and what 409 says then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sora_gateway.core.outcome import OutcomeClass, RejectRules, classify
from sora_gateway.upstream.adapter import CreateOrder
from sora_gateway.upstream.profiles import PROFILES, Profile
from tests.raw_server import always, answer, serving_raw
from tests.upstream_cases import ORDER, talking_to

KEYED = Profile(idempotency_header="Idempotency-Key")
KEY = "video_0123-1"


@pytest.mark.parametrize(
    "order",
    [ORDER, replace(ORDER, image=b"\x89PNG\r\n--\r\n", image_type="image/png")],
    ids=["JSON", "a form"],
)
async def test_it_is_the_same_to_the_last_byte(order: CreateOrder) -> None:
    order = replace(order, idempotency_key=KEY)
    async with serving_raw(always(answer(200, {"id": "video_1"}))) as server:
        for _ in range(2):
            # Another process has a client of its own.
            async with talking_to(server.url, KEYED) as upstream:
                await upstream.create(order, 5)
        first, second = server.requests
        assert first == second
        assert first.headers["idempotency-key"] == KEY
        assert first.body


@pytest.mark.parametrize(
    ("profile", "key", "kind"),
    [
        (KEYED, KEY, OutcomeClass.KNOWN),
        (KEYED, "", OutcomeClass.UNKNOWN),
        (PROFILES["openai"], KEY, OutcomeClass.UNKNOWN),
    ],
    ids=["our key", "no key", "a server without keys"],
)
async def test_409_names_the_first_job_only_to_a_key_of_ours(
    profile: Profile, key: str, kind: OutcomeClass
) -> None:
    conflict = always(answer(409, {"id": "video_1", "object": "video", "status": "queued"}))
    async with serving_raw(conflict) as server, talking_to(server.url, profile) as upstream:
        found = classify(await upstream.create(replace(ORDER, idempotency_key=key), 5), RejectRules())
    assert (found.kind, found.external_id) == (kind, "video_1" if kind is OutcomeClass.KNOWN else None)


async def test_409_without_the_job_stays_a_doubt() -> None:
    conflict = always(answer(409, {"error": {"message": "It is still being made."}, "id": "req_1"}))
    async with serving_raw(conflict) as server, talking_to(server.url, KEYED) as upstream:
        found = classify(await upstream.create(replace(ORDER, idempotency_key=KEY), 5), RejectRules())
    assert found.kind is OutcomeClass.UNKNOWN
