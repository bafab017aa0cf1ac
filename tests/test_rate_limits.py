"""How often may one ask? As often as ``[limits]`` says, by person, key, address and class of route."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sora_gateway.core.rates import Rate, RateLimiter
from sora_gateway.errors import TooManyRequests
from sora_gateway.http.limits import RequestLimits
from tests.fakes import ManualClock
from tests.running import Person, person, running, settings_for
from tests.team import client


@asynccontextmanager
async def limited(data_dir: Path, **limits: int) -> AsyncIterator[Person]:
    """Ann, at a gateway with these limits and the simulator."""
    async with running(settings_for(data_dir, limits=limits)) as gateway, person(gateway, "ann") as ann:
        yield ann


async def test_every_answer_says_what_is_left_and_a_refusal_when_to_come_back(tmp_path: Path) -> None:
    async with limited(tmp_path, per_person=3) as ann:
        left = [(await ann.get("/api/auth/me")).headers["ratelimit-remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        refused = await ann.get("/api/auth/me")
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "rate_limited"
        assert refused.headers["ratelimit-limit"] == "3"
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        again = await ann.get("/api/auth/me")
        assert int(again.headers["retry-after"]) <= int(refused.headers["retry-after"])


async def test_one_persons_requests_are_counted_together_and_another_persons_apart(tmp_path: Path) -> None:
    async with (
        limited(tmp_path, per_person=2) as ann,
        person(ann.gateway, "bob") as bob,
    ):
        other, _ = await ann.gateway.accounts.create_key("user_ann", "another")
        async with client(ann.gateway, other) as second:
            assert (await ann.get("/api/auth/me")).is_success
            assert (await second.get("/api/auth/me")).is_success
            assert (await second.get("/api/auth/me")).status_code == 429
        assert (await bob.get("/api/auth/me")).is_success


async def test_one_key_can_be_slower_than_its_person(tmp_path: Path) -> None:
    async with limited(tmp_path, per_key=1) as ann:
        other, _ = await ann.gateway.accounts.create_key("user_ann", "another")
        assert (await ann.get("/api/auth/me")).is_success
        assert (await ann.get("/api/auth/me")).status_code == 429
        async with client(ann.gateway, other) as second:
            assert (await second.get("/api/auth/me")).is_success


async def test_what_may_cost_something_has_a_limit_of_its_own(tmp_path: Path) -> None:
    async with limited(tmp_path, creates_per_person=1) as ann:
        await ann.make()
        refused = await ann.http.post("/api/video/tasks", json={"prompt": "one more"})
        assert refused.status_code == 429
        assert (await ann.get("/api/video/tasks")).is_success
        assert len((await ann.get("/api/video/tasks")).json()["tasks"]) == 1


async def test_who_is_nobody_is_counted_by_address_whether_or_not_they_guess_at_keys(tmp_path: Path) -> None:
    async with limited(tmp_path, per_address=3) as ann:
        async with client(ann.gateway, "sgw_guessed") as guesser, client(ann.gateway) as stranger:
            statuses = [(await guesser.get("/api/auth/me")).status_code for _ in range(2)]
            statuses.append((await stranger.post("/api/auth/redeem", json={"token": "x"})).status_code)
            statuses += [(await guesser.get("/api/auth/me")).status_code for _ in range(2)]
            assert statuses == [401, 401, 401, 429, 429]
            assert (await stranger.get("/health")).is_success, "whoever asks whether it lives asks often"
        assert (await ann.get("/api/auth/me")).is_success, "a good key is not a stranger's"


async def test_who_may_not_do_what_they_ask_for_cannot_ask_for_ever(tmp_path: Path) -> None:
    async with (
        limited(tmp_path, per_address=2) as ann,
        person(ann.gateway, "vera", "viewer") as vera,
    ):
        hidden = [(await ann.get("/api/admin/users")).status_code for _ in range(2)]
        assert hidden == [404, 404]
        assert (await vera.http.post("/api/video/tasks", json={"prompt": "x"})).status_code == 429
        assert (await ann.get("/api/auth/me")).is_success, "what she may do is not a stranger's"


async def test_nothing_is_limited_where_the_limits_are_0(tmp_path: Path) -> None:
    async with limited(tmp_path) as ann:
        for _ in range(30):
            answer = await ann.get("/api/auth/me")
            assert answer.is_success
            assert "ratelimit-limit" not in answer.headers


async def test_what_is_refused_has_the_bodies_of_both_apis_and_changes_nothing(tmp_path: Path) -> None:
    async with limited(tmp_path, creates_per_person=1) as ann:
        await ann.make()
        own = await ann.http.post("/api/video/tasks", json={"prompt": "one more"})
        official = await ann.http.post("/v1/videos", data={"prompt": "one more"})
        for refused in (own, official):
            assert refused.status_code == 429
            assert refused.json()["error"]["code"] == "rate_limited"
            assert refused.headers["retry-after"]
        assert (await ann.http.head("/api/auth/me")).status_code in (200, 405)


def verdicts(limits: RequestLimits, addresses: list[str]) -> list[bool]:
    """Which requests of strangers are let through, of one a minute."""
    settings = settings_for(Path("unused"), limits={"per_address": 1}).limits
    found = []
    for address in addresses:
        try:
            limits.count(settings, None, address, paid=False)
            found.append(True)
        except TooManyRequests:
            found.append(False)
    return found


def test_all_addresses_of_an_ipv6_network_are_one_stranger() -> None:
    one = [f"2001:db8::{number:x}" for number in range(1, 5)]
    assert verdicts(RequestLimits(ManualClock()), one) == [True, False, False, False]
    assert verdicts(RequestLimits(ManualClock()), ["2001:db8::1", "2001:db8:0:1::1"]) == [True, True]
    assert verdicts(RequestLimits(ManualClock()), ["10.0.0.1", "10.0.0.2", "::ffff:10.0.0.1"]) == [
        True,
        True,
        False,
    ]
    assert verdicts(RequestLimits(ManualClock()), ["", "", "no address"]) == [True, False, True]


def test_however_many_come_so_many_are_remembered_the_latest_of_them() -> None:
    limiter, rate = RateLimiter(remembered=100), Rate(1)
    for number in range(1000):
        assert limiter.take(f"address {number}", rate, 0.0).retry_after is None
    refused = [
        number
        for number in range(1000)
        if limiter.look(f"address {number}", rate, 0.0).retry_after is not None
    ]
    assert refused == list(range(900, 1000))
