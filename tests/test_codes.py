"""Redeem codes: shown once, good for so many people, and not to be guessed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sora_gateway.accounts.codes import new_text, normal_text
from tests.examples import examples
from tests.people import actions, code, told
from tests.running import Json, Person, person
from tests.spending import DAY, Till, till

WRONG = "AAAA-AAAA-AAAA-AAAA-AAAA"


async def made(shop: Till, **worth: object) -> Json:
    """One new code."""
    (new,) = (await shop.admin("POST", "codes", 201, **worth))["codes"]
    return dict(new)


async def redeem(who: Person, text: str) -> tuple[int, Json]:
    answer = await who.http.post("/api/credits/redeem", json={"code": text})
    return answer.status_code, answer.json()


async def test_a_code_brings_its_credits_once(tmp_path: Path) -> None:
    async with till(tmp_path, balance=1) as shop:
        new = await made(shop, credits=50, note="for the launch")
        status, got = await redeem(shop.ann, new["code"])
        assert (status, got["credits"], got["plan"], got["available"]) == (200, 50, None, 51)
        (entry, _) = await shop.entries()
        assert (entry["kind"], entry["available"], entry["by"]) == ("redeem", 50, "you")
        assert (await redeem(shop.ann, new["code"]))[0] == 404, "it is used up"
        assert await shop.balance() == (51, 0)
        assert await actions(shop.ann.gateway, new["id"]) == ["code.create", "code.redeem"]


async def test_the_log_says_what_a_code_is_worth_and_one_of_a_thing_is_no_plural(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        await made(shop, credits=1)
        await made(shop, credits=50, uses=3, plan="default", planDays=1)
        listed = (await shop.admin("GET", "audit?action=code.create"))["entries"]
        assert [each["detail"] for each in listed] == [
            "50 credits and plan default for 1 day, 3 times", "1 credit, 1 time",
        ]  # fmt: skip


async def test_what_people_type_is_shown_once_and_stored_nowhere(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        new = (await shop.admin("POST", "codes", 201, count=3, credits=5))["codes"]
        assert len({each["code"] for each in new}) == 3
        listed = (await shop.admin("GET", "codes"))["codes"]
        assert {each["id"] for each in listed} == {each["id"] for each in new}
        assert all(each["code"] not in json.dumps(listed) for each in new)
        assert {each["code"][:4] for each in new} == {each["prefix"] for each in listed}
        texts = [each["code"].encode() for each in new]
        for name in ("gateway.db", "gateway.db-wal"):
            stored = await asyncio.to_thread((tmp_path / name).read_bytes)
            assert not [text for text in texts if text in stored], name


async def test_a_code_for_many_is_for_each_of_them_once(tmp_path: Path) -> None:
    async with till(tmp_path, balance=0) as shop, person(shop.ann.gateway, "bob") as bob:
        new = await made(shop, credits=5, uses=2)
        both = await asyncio.gather(*(redeem(shop.ann, new["code"]) for _ in range(4)))
        assert sorted(status for status, _ in both) == [200, 409, 409, 409]
        assert (await redeem(bob, new["code"]))[0] == 200
        assert (await redeem(shop.root, new["code"]))[0] == 404
        (listed,) = (await shop.admin("GET", "codes"))["codes"]
        assert listed["usesLeft"] == 0


async def test_the_last_use_of_a_code_is_one_persons(tmp_path: Path) -> None:
    async with (
        till(tmp_path, balance=0) as shop,
        person(shop.ann.gateway, "bob") as bob,
    ):
        for _ in range(4):
            new = await made(shop, credits=1)
            answers = await asyncio.gather(*(redeem(who, new["code"]) for who in (shop.ann, bob, shop.root)))
            assert sorted(status for status, _ in answers) == [200, 404, 404]


async def test_a_code_brings_a_plan_for_some_days(tmp_path: Path) -> None:
    plans = {"gold": {"monthly_credits": 40, "priority": "vip"}}
    async with till(tmp_path, balance=0, plans=plans) as shop:
        new = await made(shop, plan="gold", planDays=3, credits=2)
        status, got = await redeem(shop.ann, new["code"])
        assert (status, got["plan"], got["planUntil"]) == (200, "gold", "2026-11-25T00:00:00.000Z")
        assert got["available"] == 42, "the plan's own credits come with it"
        assert (await shop.order()).json()["priority"] == "vip"
        shop.clock.ahead += 3 * DAY + 1
        assert (await shop.ann.get("/api/credits")).json()["plan"]["name"] == "default"


async def test_what_has_expired_or_was_revoked_is_no_code(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        late = await made(shop, credits=5, expiresAt="2026-11-23T00:00:00Z")
        gone = await made(shop, credits=5)
        await shop.admin("DELETE", f"codes/{gone['id']}", 204)
        await shop.admin("DELETE", f"codes/{gone['id']}", 404)
        shop.clock.ahead += DAY
        answers = [await redeem(shop.ann, each) for each in (late["code"], gone["code"], WRONG)]
        assert {status for status, _ in answers} == {404}
        assert len({answer["error"]["message"] for _, answer in answers}) == 1


async def test_codes_that_could_not_be_are_not_made(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        for body in (
            {"count": 0, "credits": 1},
            {"count": 101, "credits": 1},
            {"credits": 0},
            {"credits": -1},
            {"credits": 1, "uses": 0},
            {"credits": 1, "planDays": 3},
            {"credits": 1, "expiresAt": "2026-11-01T00:00:00Z"},
        ):
            await shop.admin("POST", "codes", 400, **body)
        await shop.admin("POST", "codes", 404, plan="none")
        assert (await shop.admin("GET", "codes"))["codes"] == []


async def test_who_guesses_has_to_wait_longer_each_time(tmp_path: Path) -> None:
    async with till(tmp_path, balance=0) as shop, person(shop.ann.gateway, "bob") as bob:
        new = await made(shop, credits=5)
        answers = [await shop.ann.http.post("/api/credits/redeem", json={"code": WRONG}) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [404] * 6 + [429]
        assert told(answers[-1])[2] == "There were too many wrong codes; wait a moment before you try again."
        assert "retry-after" in answers[-1].headers
        # While it lasts nothing is tried, and nobody else has to wait.
        assert (await redeem(shop.ann, new["code"]))[0] == 429
        assert await shop.balance() == (0, 0)
        assert (await redeem(bob, WRONG))[0] == 404
        shop.clock.ahead += 900
        assert (await redeem(shop.ann, new["code"]))[0] == 200


async def test_guesses_from_one_address_are_counted_together(tmp_path: Path) -> None:
    async with (
        till(tmp_path, accounts={"attempts_per_minute": 2}) as shop,
        person(shop.ann.gateway, "bob") as bob,
    ):
        assert [(await redeem(who, WRONG))[0] for who in (shop.ann, bob, shop.ann, bob)] == [
            404,
            404,
            429,
            429,
        ]


async def test_what_has_not_the_form_of_a_code_is_no_guess(tmp_path: Path) -> None:
    async with till(tmp_path) as shop:
        for _ in range(8):
            answer = await shop.ann.http.post("/api/credits/redeem", json={"code": "ABCD-EFGH"})
            assert code(answer) == (400, "invalid_request")


class Numbers:
    """Entropy of a test: the same codes every time."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{self._seed}"

    def token(self) -> str:
        return self._seed

    def fraction(self) -> float:
        return 0.0


@settings(max_examples=examples(100))
@given(st.text("abcdef0123456789"), st.data())
def test_a_code_is_understood_however_it_is_typed(seed: str, data: st.DataObject) -> None:
    text = new_text(Numbers(seed))
    misread = {"O": "0", "I": "1", "B": "8", "G": "9"}
    typed = "".join(
        data.draw(
            st.sampled_from([letter, letter.lower(), f"{letter} ", f"-{letter}", misread.get(letter, letter)])
        )
        for letter in text.replace("-", "")
    )
    assert normal_text(typed) == text
