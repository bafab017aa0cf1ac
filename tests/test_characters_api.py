"""Characters over a real port: learned once by the upstream that has them, and seen by their owner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab import says
from tests.live import until
from tests.paid_routes import Shop, refused, shop
from tests.pictures import encoded, striped
from tests.raw_server import Handler, Received, Wire, serving_raw
from tests.running import Json, Person, person
from tests.sample_videos import sample_mp4, sample_webm
from tests.test_upstream_requests import Piece, form_of

CHARACTERS = "/v1/videos/characters"


async def learn(
    who: Person, name: str = "Otter", film: bytes | None = None, **headers: str
) -> httpx.Response:
    files = {"video": ("otter.mov", sample_mp4() if film is None else film, "video/quicktime")}
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await who.http.post(CHARACTERS, data={"name": name}, files=files, headers=named)


async def character(at: Shop, name: str = "Otter") -> str:
    response = await learn(at.ann, name)
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


def with_characters(*ids: str) -> Json:
    return {"prompt": "an otter in a boat", "characters": [{"id": id} for id in ids]}


# --- made --------------------------------------------------------------------------------------------


async def test_a_character_is_learned_from_a_video(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        answer = (await learn(at.ann, "Ötzi der Otter 纸")).json()
        assert answer == {"id": answer["id"], "name": "Ötzi der Otter 纸", "created_at": answer["created_at"]}
        assert answer["id"].startswith("char_")
        assert isinstance(answer["created_at"], int)
        (order,) = at.lab.orders
        assert order.target == CHARACTERS
        assert form_of(order) == [
            Piece("name", "Ötzi der Otter 纸".encode()),
            Piece("video", sample_mp4(), "character.mp4", "video/mp4"),
        ]
        assert (await at.ann.get(f"{CHARACTERS}/{answer['id']}")).json() == answer
        assert await at.cost() == (0, 1, 10_000), "it is no video, and has no price"


async def test_characters_appear_in_a_video_under_the_upstreams_ids(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        ids = [await character(at, name) for name in ("Otter", "Heron")]
        image = {"input_reference": ("first.png", encoded(striped(720, 1280)), "image/png")}
        in_a_form = {"prompt": "both", "characters[][id]": ids}
        numbered = {"prompt": "both", "characters[0][id]": ids[0], "characters[1][id]": ids[1]}
        for number, (options, sent) in enumerate(
            (
                ({"json": with_characters(*ids)}, ["ext-1", "ext-2"]),
                ({"json": with_characters(ids[1])}, ["ext-2"]),
                ({"files": image, "data": in_a_form}, ["ext-1", "ext-2"]),
                ({"files": image, "data": numbered}, ["ext-1", "ext-2"]),
            ),
            2,
        ):
            response = await at.ann.http.post("/v1/videos", **options)  # type: ignore[arg-type]
            assert response.status_code == 200, response.text
            assert named(await at.order(number)) == sent


def named(order: Received) -> list[str]:
    """The ids of the characters in a create."""
    if order.headers["content-type"] == "application/json":
        found: Any = order.json["characters"]
        return [each["id"] for each in found]
    return [piece.value.decode() for piece in form_of(order) if piece.name == "characters[][id]"]


async def test_a_video_with_a_character_goes_to_the_upstream_that_knows_it(tmp_path: Path) -> None:
    """Although another one that is asked first has the model."""
    plain_orders: list[Received] = []

    async def plain(request: Received, wire: Wire) -> None:
        plain_orders.append(request)
        await says(200, {"id": f"plain-{len(plain_orders)}", "status": "queued"})(request, wire)

    async with serving_raw(plain) as other:
        first = {"base_url": f"{other.url}/v1", "models": {"sora-2": "s", "veo": "v"}}
        async with shop(tmp_path, sources=0, each_once=False, upstreams={"plain": first}) as at:
            otter = await character(at)
            video = await at.ann.make()
            assert video["upstream"] == "plain"
            response = await at.ann.http.post("/v1/videos", json=with_characters(otter))
            task = await at.ann.comes_to(response.json()["id"], "processing")
            assert task["upstream"] == "lab"
            only_there = with_characters(otter) | {"model": "veo"}
            answer = await at.ann.http.post("/v1/videos", json=only_there)
            assert refused(answer) == (400, "unsupported_by_upstream", "false")
            assert answer.json()["error"]["param"] == "characters"
            await until(lambda: any(order.method == "POST" for order in plain_orders))


# --- refused -----------------------------------------------------------------------------------------


async def test_a_character_of_somebody_else_is_not_there(tmp_path: Path) -> None:
    async with (
        shop(tmp_path, sources=0) as at,
        person(at.gateway, "bob", credits=99) as bob,
        person(at.gateway, "root", "admin", credits=99) as root,
    ):
        otter = await character(at)
        cost = await at.cost()
        for who, id in ((bob, otter), (at.ann, "char_" + "0" * 32), (at.ann, "ext-1"), (at.ann, "x" * 512)):
            answer = await who.http.post("/v1/videos", json=with_characters(id))
            assert refused(answer) == (400, "invalid_request", "false"), id
            error = answer.json()["error"]
            assert (error["message"], error["param"]) == ("There is no character by that id.", "characters")
            assert refused(await who.get(f"{CHARACTERS}/{id}")) == (404, "not_found", "false"), id
        assert await at.cost() == cost
        assert (await root.get(f"{CHARACTERS}/{otter}")).status_code == 200


@pytest.mark.parametrize(
    "characters",
    [["char_1"], "char_1", [{}], [{"id": 7}], [{"id": ""}], [{"id": "a", "name": "b"}], [{"id": "a"}] * 3, {"id": "a"}],
)  # fmt: skip
async def test_characters_are_named_by_their_ids_and_two_at_most(characters: object, tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        answer = await at.ann.http.post("/v1/videos", json={"prompt": "a", "characters": characters})
        assert answer.status_code == 400
        assert answer.json()["error"]["param"].startswith("characters")


@pytest.mark.parametrize("name", ["", "x" * 81])
async def test_a_character_has_a_name(name: str, tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        answer = await learn(at.ann, name)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "name")
        assert await at.cost() == (0, 0, 10_000)


@pytest.mark.parametrize("film", [b"", b"<html>", sample_webm(), sample_mp4()[:400]])
async def test_a_character_needs_an_mp4_video(film: bytes, tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        answer = await learn(at.ann, film=film)
        assert refused(answer) == (400, "invalid_request", "false")
        assert answer.json()["error"]["param"] == "video"
        assert await at.cost() == (0, 0, 10_000)


async def test_a_video_by_its_id_or_json_makes_no_character(tmp_path: Path) -> None:
    async with shop(tmp_path) as at:
        form = {"name": (None, "Otter"), "video[id]": (None, at.sources[0])}
        assert (await at.ann.http.post(CHARACTERS, files=form)).status_code == 400
        wish = {"name": "Otter", "video": {"id": at.sources[0]}}
        assert refused(await at.ann.http.post(CHARACTERS, json=wish))[:2] == (415, "unsupported_media_type")
        assert await at.characters() == 0


async def test_an_upstream_without_characters_is_not_asked(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0, profile="generic") as at:
        answer = await learn(at.ann)
        assert refused(answer) == (400, "unsupported_by_upstream", "false")
        assert answer.json()["error"]["message"] == "No upstream has characters."
        assert await at.cost() == (0, 0, 10_000)
        assert at.lab.orders == []


# --- what the upstream answers -----------------------------------------------------------------------


async def hang_up(_: Received, wire: Wire) -> None:
    """Takes it and answers nothing."""


async def test_what_the_upstream_refuses_is_said_and_may_be_put_right(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0, each_once=False) as at:
        at.lab.creates = [
            says(400, {"error": {"message": "There is nobody in it.", "code": "no_subject"}}),
            says(200, {"id": "char-9"}),
        ]
        answer = await learn(at.ann, idempotency_key="k")
        assert refused(answer) == (400, "invalid_request", "false")
        assert "There is nobody in it." in answer.json()["error"]["message"]
        assert await at.characters() == 0
        assert (await learn(at.ann, idempotency_key="k")).status_code == 200


async def test_a_busy_upstream_may_be_asked_again(tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0, each_once=False) as at:
        at.lab.creates = [says(429, {}, {"Retry-After": "7"}), says(200, {"id": "char-9"})]
        answer = await learn(at.ann, x_stainless_retry_count="0")
        assert refused(answer) == (503, "unavailable", None)
        assert answer.headers["retry-after"] == "7"
        assert await at.characters() == 0
        assert (await learn(at.ann, x_stainless_retry_count="1")).status_code == 200


LOST: dict[str, Handler] = {
    "hangs up": hang_up,
    "500": says(500),
    "no id": says(200, {"status": "ok"}),
    "no JSON": says(200, "<html>"),
}


@pytest.mark.parametrize("way", LOST)
async def test_a_lost_answer_is_not_asked_for_again(way: str, tmp_path: Path) -> None:
    async with shop(tmp_path, sources=0) as at:
        at.lab.creates = [LOST[way], says(200, {"id": "char-9"})]
        for count in range(3):
            answer = await learn(at.ann, x_stainless_retry_count=str(count))
            assert refused(answer) == (502, "outcome_unknown", "false")
        assert len(at.lab.orders) == 1
