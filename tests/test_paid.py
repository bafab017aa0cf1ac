"""``Idempotency-Key`` on every paid route of both APIs: sent as often as one likes, made and paid once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from sora_gateway.store.audit import AuditEntry
from tests.lab import PRICE
from tests.paid_routes import (
    CHARACTERS,
    IMAGES,
    PAID,
    askings,
    different,
    id_of,
    refused,
    send,
    shop,
    signed_in,
    stored,
    with_image,
)
from tests.pictures import encoded, striped
from tests.running import person

BAD_KEYS: dict[str, bytes] = {
    "nothing": b"",
    "256 characters": b"k" * 256,
    "a space": b"two words",
    "a tab": b"two\twords",
    "no ASCII": "schlüssel".encode(),
    "Latin-1": "schlüssel".encode("latin-1"),
}


def test_the_table_says_what_is_paid() -> None:
    assert len(PAID) >= 8
    assert {endpoint.method for endpoint in PAID.values()} == {"POST"}


# --- once --------------------------------------------------------------------------------------------


async def test_the_same_request_gets_the_same_answer_and_is_paid_once(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for number, ask in enumerate(at.everything()):
            first = await send(at.ann, ask, idempotency_key=f"k{number}")
            cost = await at.cost()
            for _ in range(3):
                again = await send(at.ann, ask, idempotency_key=f"k{number}")
                assert id_of(again) == id_of(first), ask
                assert again.status_code == first.status_code == PAID[ask.route].status, ask
            assert await at.cost() == cost, ask


async def test_one_request_costs_one_hold(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for ask in at.everything():
            jobs, characters, left = await at.cost()
            made = await at.made(ask, idempotency_key="-".join(map(str, (jobs, characters))))
            entries = await at.gateway.store.credits.of_job(made)
            if ask.route == CHARACTERS:
                assert (await at.cost(), entries) == ((jobs, characters + 1, left), [])
            else:
                assert await at.cost() == (jobs + 1, characters, left - PRICE), ask
                assert [(kind, abs(held)) for kind, _, held in entries] == [("hold", PRICE)], ask


async def test_fifty_at_once_make_one(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for number, ask in enumerate(at.everything()):
            before = sum((await at.cost())[:2])
            sendings = (send(at.ann, ask, idempotency_key=f"k{number}") for _ in range(50))
            answers = await asyncio.gather(*sendings)
            assert len({id_of(answer) for answer in answers}) == 1, ask
            assert sum((await at.cost())[:2]) == before + 1, ask


@pytest.mark.parametrize("way", IMAGES)
async def test_many_at_once_with_an_image_make_one_and_keep_one_file(way: str, tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        ask = with_image(way)
        answers = await asyncio.gather(*(send(at.ann, ask, idempotency_key="k") for _ in range(20)))
        assert len({id_of(answer) for answer in answers}) == 1
        other = await send(at.ann, with_image(way, encoded(striped(80, 128))), idempotency_key="k")
        assert refused(other) == (409, "idempotency_mismatch", "false")
        assert await at.jobs() == len(stored(tmp_path, "reference")) == 1


async def test_a_form_written_in_another_way_is_the_same_request(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        forms = [ask for ask in at.everything() if ask.form]
        assert len(forms) >= 5
        for number, ask in enumerate(forms):
            ways = [
                replace(ask, boundary="another"),
                replace(ask, backwards=True),
                replace(ask, filename="Der Film.mov"),
            ]
            ids = {await at.made(way, idempotency_key=f"k{number}") for way in (ask, *ways)}
            assert len(ids) == 1, ask


# --- another request ---------------------------------------------------------------------------------


async def test_another_request_with_the_same_key_is_refused_and_costs_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for number, ask in enumerate(at.everything()):
            made = await at.made(ask, idempotency_key=f"k{number}")
            cost = await at.cost()
            for other in different(ask, at.sources[1]):
                answer = await send(at.ann, other, idempotency_key=f"k{number}")
                assert refused(answer) == (409, "idempotency_mismatch", "false"), other
            assert await at.cost() == cost, ask
            assert await at.made(ask, idempotency_key=f"k{number}") == made


async def test_the_same_words_as_json_and_as_a_form_are_two_requests_only_if_a_file_is_in_one(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path) as at:
        for route in PAID:
            kinds = askings(route, at.sources[0])
            answers = [await send(at.ann, ask, idempotency_key=route.replace(" ", "")) for ask in kinds]
            same_fields = all(ask.fields == kinds[0].fields for ask in kinds)
            assert [answer.status_code for answer in answers[1:]] == (
                [PAID[route].status if same_fields else 409] * (len(kinds) - 1)
            ), route


async def test_a_key_is_of_one_person_and_one_route(tmp_path: Path) -> None:
    async with shop(tmp_path) as at, person(at.gateway, "bob", credits=1000) as bob:
        his = await at.source(bob)
        made: list[str] = []
        for who, source in ((at.ann, at.sources[0]), (bob, his)):
            for route in PAID:
                ask = askings(route, source)[0]
                made.append(await at.made(ask, who, idempotency_key="the-same-everywhere"))
        assert len(set(made)) == 2 * len(PAID)


async def test_a_key_is_of_the_person_however_they_sign_in(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        laptop, _ = await at.gateway.accounts.create_key("user_ann", "laptop")
        for number, ask in enumerate(at.everything()):
            made = await at.made(ask, idempotency_key=f"k{number}")
            elsewhere = await at.made(ask, idempotency_key=f"k{number}", authorization=f"Bearer {laptop}")
            assert elsewhere == made
            async with signed_in(at.ann) as page:
                assert await at.made(ask, page, idempotency_key=f"k{number}") == made


# --- keys that are none ------------------------------------------------------------------------------


async def test_a_bad_key_is_refused(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        cost = await at.cost()
        for ask in at.everything():
            for bad, key in BAD_KEYS.items():
                answer = await send(at.ann, ask, idempotency_key=key)
                assert refused(answer) == (400, "invalid_request", "false"), (bad, ask)
                assert answer.json()["error"]["param"] == "Idempotency-Key"
        assert await at.cost() == cost


async def test_a_key_may_have_255_characters_of_any_visible_kind(tmp_path: Path) -> None:
    visible = bytes(range(0x21, 0x7F)).decode()
    async with shop(tmp_path) as at:
        for ask in at.everything():
            key = f"{visible * 3}{ask.path}{ask.form}"[-255:]
            assert await at.made(ask, idempotency_key=key) == await at.made(ask, idempotency_key=key)


# --- what is not remembered --------------------------------------------------------------------------


async def test_a_refusal_is_not_remembered(tmp_path: Path) -> None:
    """The same key serves the request that is put right, and the same request once it can be served."""
    async with shop(tmp_path) as at:
        for number, ask in enumerate(at.everything()):
            cost = await at.cost()
            wrong = [ask.saying(**{name: ""}) for name in ("prompt", "name") if name in ask.fields]
            wrong += [ask.saying(video=b"no film")] if ask.form and "video" in ask.fields else []
            for bad in wrong:
                answer = await send(at.ann, bad, idempotency_key=f"k{number}")
                assert answer.status_code == 400, bad
            assert await at.cost() == cost, ask
            id_of(await send(at.ann, ask, idempotency_key=f"k{number}"))


async def test_a_source_that_is_not_finished_can_be_asked_for_again_with_the_same_key(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        source = (await at.ann.make("not yet"))["videoId"]
        await at.ann.comes_to(source, "processing")
        late = [ask for route in PAID for ask in askings(route, source) if source in str(ask)]
        assert len(late) >= 5
        cost = await at.cost()
        for number, ask in enumerate(late):
            answer = await send(at.ann, ask, idempotency_key=f"k{number}")
            assert answer.status_code == 409, ask
            assert answer.json()["error"]["code"] in ("not_ready", "not_finished")
        assert await at.cost() == cost
        at.lab.looks = {"status": "completed"}
        await at.ann.comes_to(source, "completed")
        for number, ask in enumerate(late):
            assert await at.made(ask, idempotency_key=f"k{number}")


async def test_an_empty_account_can_be_filled_and_the_same_request_sent_again(tmp_path: Path) -> None:
    async with shop(tmp_path) as at, person(at.gateway, "bob", credits=PRICE) as bob:
        source = await at.source(bob)
        priced = [ask for route in PAID for ask in askings(route, source) if route != CHARACTERS]
        for number, ask in enumerate(priced):
            poor = await send(bob, ask, idempotency_key=f"k{number}")
            assert refused(poor) == (402, "insufficient_credits", "false"), ask
            await at.gateway.store.credits.grant(
                "user_bob", PRICE, "more", AuditEntry(0.0, "root", "credits.grant", "user_bob")
            )
            made = await at.made(ask, bob, idempotency_key=f"k{number}")
            assert await at.made(ask, bob, idempotency_key=f"k{number}") == made
            assert (await at.gateway.store.people.by_email("bob@example.org")).available == 0


# --- later -------------------------------------------------------------------------------------------


async def test_the_answer_is_the_job_as_it_is_now(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        (ask,) = askings("POST /api/video/tasks/{id}/retry", at.sources[0])
        made = await at.made(ask, idempotency_key="k")
        await at.ann.comes_to(made, "processing")
        at.lab.looks = {"status": "completed"}
        done = await at.ann.comes_to(made, "completed")
        again = (await send(at.ann, ask, idempotency_key="k")).json()
        assert (again["status"], again["seq"]) == ("completed", done["seq"])
        assert again["videoUrl"].startswith(f"/api/video/tasks/{made}/content?")


async def test_a_deleted_video_is_not_made_anew_by_its_key(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        for number, ask in enumerate(at.everything()):
            if ask.route == CHARACTERS:
                continue
            made = await at.made(ask, idempotency_key=f"k{number}")
            await at.ann.comes_to(made, "processing")
            await at.ann.http.post(f"/api/video/tasks/{made}/cancel")
            await at.ann.comes_to(made, "cancelled")
            assert (await at.ann.http.delete(f"/api/video/tasks/{made}")).status_code == 204
            cost = await at.cost()
            assert await at.made(ask, idempotency_key=f"k{number}") == made
            assert await at.cost() == cost
            assert (await at.ann.get(f"/api/video/tasks/{made}")).status_code == 404


async def test_a_key_is_known_after_a_restart_and_after_its_source_is_gone(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        asks = at.everything()
        made = [await at.made(ask, idempotency_key=f"k{number}") for number, ask in enumerate(asks)]
        for source in at.sources:
            assert (await at.ann.http.delete(f"/api/video/tasks/{source}")).status_code == 204
    async with shop(tmp_path, at) as at:
        cost = await at.cost()
        again = [await at.made(ask, idempotency_key=f"k{number}") for number, ask in enumerate(asks)]
        assert again == made
        assert await at.cost() == cost
