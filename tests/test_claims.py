"""Requests that are sent again: what the store knows of them, over any order of tries, keys and restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sora_gateway.core.claim import KEY_LIFETIME, RESEND_WINDOW, Claim, KeyClaim, ResendClaim
from sora_gateway.errors import IdempotencyMismatch
from tests.examples import examples
from tests.fakes import CountingEntropy, ScriptedUpstream
from tests.gateways import OWNER, Workshop, workshop


def key(name: str = "k1", fingerprint: str = "a boat", route: str = "POST /v1/videos") -> KeyClaim:
    return KeyClaim(OWNER, route, name, fingerprint)


def attempt(count: int, fingerprint: str = "a boat", credential: str = "key_1") -> ResendClaim:
    return ResendClaim(credential, fingerprint, count)


async def made(shop: Workshop, claim: Claim | None) -> str:
    """The id of the job that a request with *claim* is answered with."""
    return (await shop.accept(claim=claim)).id


class TestAnIdempotencyKey:
    async def test_makes_one_job_however_often_it_is_sent(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            first = await made(shop, key())
            assert await made(shop, key()) == first
            assert await shop.balance() == (90, 10)

    async def test_makes_one_job_when_fifty_clients_send_it_at_once(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            assert len(set(await asyncio.gather(*(made(shop, key()) for _ in range(50))))) == 1
            assert await shop.balance() == (90, 10)

    async def test_with_another_request_is_refused_and_costs_nothing(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            await made(shop, key())
            with pytest.raises(IdempotencyMismatch, match="send a new key"):
                await made(shop, key(fingerprint="a whale"))
            assert await shop.balance() == (90, 10)

    async def test_of_another_route_or_person_is_another_key(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            await shop.store.people.create_user(
                "user_bob", "bob@example.org", "member", None, 0, shop.clock.now()
            )
            jobs = {
                await made(shop, key()),
                await made(shop, key(route="POST /api/video/tasks")),
                await made(shop, KeyClaim("user_bob", "POST /v1/videos", "k1", "a boat")),
            }
            assert len(jobs) == 3

    async def test_is_forgotten_after_a_day(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            first = await made(shop, key())
            await shop.clock.advance(KEY_LIFETIME - 1)
            assert await made(shop, key()) == first
            await shop.clock.advance(2)
            assert await made(shop, key()) != first

    async def test_survives_a_restart(self, tmp_path: Path) -> None:
        upstream, entropy = ScriptedUpstream(), CountingEntropy()
        async with workshop(tmp_path, upstream, entropy=entropy) as shop:
            first, clock = await made(shop, key()), shop.clock
        async with workshop(tmp_path, upstream, clock=clock, entropy=entropy) as shop:
            assert await made(shop, key()) == first


class TestAClientThatCountsItsTries:
    async def test_gets_the_job_of_the_try_before(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            first = await made(shop, attempt(0))
            assert [await made(shop, attempt(n)) for n in (1, 2)] == [first, first]
            assert await shop.balance() == (90, 10)

    async def test_may_ask_for_the_same_video_twice_on_purpose(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            assert await made(shop, attempt(0)) != await made(shop, attempt(0))

    async def test_whose_two_equal_requests_were_both_repeated_has_two_jobs(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            jobs = {await made(shop, attempt(0)), await made(shop, attempt(0))}
            assert {await made(shop, attempt(1)), await made(shop, attempt(1))} == jobs
            assert await made(shop, attempt(1)) not in jobs

    async def test_whose_first_try_never_came_makes_the_job_with_the_second(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            second = await made(shop, attempt(1))
            assert await made(shop, attempt(2)) == second

    async def test_gets_its_job_although_a_try_between_was_lost_on_its_way(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            first = await made(shop, attempt(0))
            assert await made(shop, attempt(2)) == first
            assert await made(shop, attempt(2)) != first

    async def test_gets_the_newest_of_the_jobs_whose_last_try_is_closest(self, tmp_path: Path) -> None:
        """The older ones were answered, else there would be no newer one."""
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            older = await made(shop, attempt(0))
            await shop.clock.advance(1)
            newer = await made(shop, attempt(0))
            assert await made(shop, attempt(1)) == newer
            assert await made(shop, attempt(2)) == newer
            assert await made(shop, attempt(2)) == older

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(attempt(1, credential="key_2"), id="another key"),
            pytest.param(attempt(1, fingerprint="a whale"), id="another request"),
        ],
    )
    async def test_does_not_get_the_job_of_somebody_else(self, tmp_path: Path, other: ResendClaim) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            assert await made(shop, attempt(0)) != await made(shop, other)

    async def test_that_waited_ten_minutes_for_its_answer_gets_its_job(self, tmp_path: Path) -> None:
        """So long the official clients wait, and then two more minutes if they were once told to."""
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            first = await made(shop, attempt(0))
            await shop.clock.advance(600 + 120)
            assert await made(shop, attempt(1)) == first
            assert await shop.balance() == (90, 10)

    async def test_that_comes_after_fifteen_minutes_is_a_new_request(self, tmp_path: Path) -> None:
        async with workshop(tmp_path, ScriptedUpstream()) as shop:
            first = await made(shop, attempt(0))
            await shop.clock.advance(RESEND_WINDOW - 1)
            assert await made(shop, attempt(1)) == first
            await shop.clock.advance(RESEND_WINDOW + 1)
            assert await made(shop, attempt(2)) != first

    @settings(max_examples=examples(25), deadline=None)
    @given(lost=st.lists(st.integers(0, 2), min_size=1, max_size=6), order=st.randoms(use_true_random=False))
    async def test_has_as_many_jobs_as_requests_whatever_is_lost_and_overtaken(
        self, tmp_path_factory: pytest.TempPathFactory, lost: list[int], order: Random
    ) -> None:
        """Each request is sent 1 + n times, because n answers were lost; equal requests interleave as they like."""
        async with workshop(tmp_path_factory.mktemp("shop"), ScriptedUpstream(), balance=1000) as shop:
            answers = await interleaved(shop, [list(range(tries + 1)) for tries in lost], order)
            assert len(answers) == len(lost)

    @settings(max_examples=examples(25), deadline=None)
    @given(
        arriving=st.lists(st.sets(st.integers(0, 3), min_size=1).map(sorted), min_size=1, max_size=5),
        order=st.randoms(use_true_random=False),
    )
    async def test_never_has_more_jobs_than_requests_whichever_tries_arrive(
        self, tmp_path_factory: pytest.TempPathFactory, arriving: list[list[int]], order: Random
    ) -> None:
        """Of each request only the tries that arrive are here; any of them may be lost on its way."""
        async with workshop(tmp_path_factory.mktemp("shop"), ScriptedUpstream(), balance=1000) as shop:
            assert len(await interleaved(shop, arriving, order)) <= len(arriving)


async def interleaved(shop: Workshop, requests: list[list[int]], order: Random) -> set[str]:
    """The jobs of equal requests, each of which sends its tries one after the other, in some *order* among them."""
    answers: set[str] = set()
    waiting = [list(tries) for tries in requests]
    while waiting := [tries for tries in waiting if tries]:
        answers.add(await made(shop, attempt(order.choice(waiting).pop(0))))
    return answers
