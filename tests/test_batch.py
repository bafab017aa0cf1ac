"""Many videos at once, over a real port: what may be asked for, and that all of it is accepted or nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from sora_gateway.http.batches import MAX_SIZES
from tests.lab import PRICE, Lab, at_the_lab, opportunity
from tests.pictures import encoded, striped
from tests.running import Json, Person, person
from tests.test_references_api import data_url

BATCH = "/api/video/tasks/batch"
TASKS = "/api/video/tasks"
ITEMS = [{"prompt": "a cat"}, {"prompt": "a dog", "seconds": 8}]


async def made(ann: Person, **wish: Any) -> Json:
    answer = await ann.http.post(BATCH, json=wish)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def refusal(answer: httpx.Response) -> tuple[int, str | None, str]:
    error = answer.json()["error"]
    return answer.status_code, error["param"], error["message"]


async def nothing_was_made(ann: Person) -> bool:
    balance = await ann.gateway.store.credits.balance(ann.user_id)
    return (await ann.get(TASKS)).json()["tasks"] == [] and balance.held == 0


# --- what is made ------------------------------------------------------------------------------------


async def test_items_are_what_they_say_and_otherwise_what_the_batch_says(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), upstream={"max_concurrent": 0}) as ann:
        items = [
            {"prompt": "a cat"},
            {"prompt": "a dog", "size": "720x1280", "seconds": 12, "tags": ["his own"]},
        ]
        batch = await made(
            ann, items=items, size="1280x720", seconds=8, tags=["trip", "boats"], visibility="team"
        )
        cat, dog = batch["tasks"]
        assert (cat["prompt"], cat["size"], cat["seconds"], cat["tags"]) == (
            "a cat", "1280x720", 8, ["trip", "boats"]
        )  # fmt: skip
        assert (dog["prompt"], dog["size"], dog["seconds"], dog["tags"]) == (
            "a dog", "720x1280", 12, ["his own"]
        )  # fmt: skip
        assert {task["batchId"] for task in batch["tasks"]} == {batch["batchId"]}
        assert {task["visibility"] for task in batch["tasks"]} == {"team"}
        assert {task["priority"] for task in batch["tasks"]} == {"batch"}
        assert batch["credits"] == 2 * PRICE
        assert (await ann.gateway.store.credits.balance(ann.user_id)).held == 2 * PRICE


async def test_pasted_lines_are_prompts_each_as_often_as_one_wants(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        batch = await made(ann, prompts="1. a cat\n\n2. a dog\r\n", variants=2)
        assert [task["prompt"] for task in batch["tasks"]] == ["a cat", "a cat", "a dog", "a dog"]


async def test_a_template_is_filled_for_each_video(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        saved = {"name": "Pets", "prompt": "a {animal} in {{rain}}", "seconds": 8, "size": "1280x720"}
        template = (await ann.http.post("/api/templates", json=saved)).json()["id"]
        batch = await made(
            ann, template={"id": template, "values": [{"animal": "cat"}, {"animal": "dog"}]}, seconds=12
        )
        assert [(task["prompt"], task["seconds"], task["size"]) for task in batch["tasks"]] == [
            ("a cat in {rain}", 12, "1280x720"), ("a dog in {rain}", 12, "1280x720")
        ]  # fmt: skip
        mixed = [{"prompt": "a fish"}, {"template": {"id": template, "values": {"animal": "bird"}}}]
        batch = await made(ann, items=mixed)
        assert [task["prompt"] for task in batch["tasks"]] == ["a fish", "a bird in {rain}"]
        wrong = [{"prompt": "a fish"}, {"template": {"id": template, "values": {"anmal": "bird"}}}]
        assert refusal(await ann.http.post(BATCH, json={"items": wrong})) == (
            400, "items[1].template", "items[1].template: The template has no gap {anmal}; it has {animal}."
        )  # fmt: skip
        none = {"template": {"id": template, "values": [{"animal": "cat"}, {}]}}
        assert refusal(await ann.http.post(BATCH, json=none)) == (
            400, "template.values[1]", "The template needs a value for {animal}."
        )  # fmt: skip


async def test_one_image_is_for_all_of_them_in_the_size_of_each(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), upstream={"max_concurrent": 0}) as ann:
        items = [{"prompt": "a cat", "size": "64x64"}, {"prompt": "a dog", "size": "64x96"}]
        image = {"imageUrl": data_url(encoded(striped(72, 128)))}
        batch = await made(ann, items=items, inputReference=image, variants=2)
        sizes = set()
        for task in batch["tasks"]:
            picture = await ann.get(task["referenceUrl"])
            assert picture.status_code == 200
            sizes.add((task["size"], picture.content))
        assert len(sizes) == 2
        many = [{"prompt": "a cat", "size": f"{64 + 2 * n}x64"} for n in range(MAX_SIZES + 1)]
        assert refusal(await ann.http.post(BATCH, json={"items": many, "inputReference": image}))[0] == 400
        broken = {"prompts": "a cat", "inputReference": {"imageUrl": "data:image/png;base64,AAAA"}}
        assert refusal(await ann.http.post(BATCH, json=broken))[:2] == (400, "inputReference")


async def test_one_video_is_a_batch_too(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        batch = await made(ann, prompts="a cat")
        assert (await ann.get(f"/api/video/batches/{batch['batchId']}")).json()["videos"] == 1
        assert (await ann.make())["batchId"] is None


# --- what is wrong -----------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "nothing": ({}, None, "Give items, prompts or a template, one of them."),
    "two of them": ({"items": ITEMS, "prompts": "a"}, None, "Give items, prompts or a template, one of them."),
    "no line": ({"prompts": "\n \n"}, "prompts", "There is no prompt; write one in each line."),
    "no items": ({"items": []}, "items", "The field 'items' is not valid: list should have at least 1 item after validation, not 0."),
    "a size that cannot be made": (
        {"items": [*ITEMS, {"prompt": "x", "size": "big"}]}, "items[2].size",
        "items[2].size: A size is WIDTHxHEIGHT with sides of 64 to 4096 pixels, for example 1280x720.",
    ),
    "a size that none can be made in": ({"items": ITEMS, "size": "big"}, "size", "A size is WIDTHxHEIGHT with sides of 64 to 4096 pixels, for example 1280x720."),
    "an empty prompt": (
        {"items": [{"prompt": "a"}, {"prompt": " "}]}, "items[1].prompt",
        "items[1].prompt: The prompt is empty; say what the video should show.",
    ),
    "a line that is too long": (
        {"prompts": "a\n\n" + "x" * 40_000}, "prompts",
        "Line 3: The prompt has 40000 characters; at most 32000 are taken.",
    ),
    "an item without a prompt": (
        {"items": [{"size": "1280x720"}]}, "items[0]",
        "The field 'items[0]' is not valid: give prompt or template, one of them.",
    ),
    "a field that is not known": (
        {"items": [{"prompt": "a", "credits": 0}]}, "items[0].credits", "There is no field 'items[0].credits' here."
    ),
    "seconds as text": ({"items": [{"prompt": "a", "seconds": "8"}]}, "items[0].seconds", "The field 'items[0].seconds' must be a whole number."),
    "no variants": ({"prompts": "a", "variants": 0}, "variants", "The field 'variants' must be at least 1."),
    "a template of nobody": (
        {"template": {"id": "tpl_none", "values": [{}]}}, "template.id", "There is no such template."
    ),
    "too many": ({"prompts": "a\nb\nc", "variants": 2}, None, "These are 6 videos; a batch has at most 5."),
}  # fmt: skip


async def test_a_batch_with_one_wrong_item_is_refused_and_the_item_named(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, lab := Lab(), limits={"batch": 5}) as ann:
        for case, (wish, param, sentence) in WRONG.items():
            assert refusal(await ann.http.post(BATCH, json=wish)) == (400, param, sentence), case
        unknown = {"items": [{"prompt": "a"}, {"prompt": "a", "model": "none"}]}
        answer = await ann.http.post(BATCH, json=unknown)
        assert refusal(answer)[:2] == (400, "items[1].model")
        assert answer.json()["error"]["code"] == "model_not_found"
        assert await nothing_was_made(ann)
        await opportunity()
        assert lab.orders == []


async def test_a_limit_of_0_is_none(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), balance=10_000, limits={"batch": 0}) as ann:
        assert len((await made(ann, prompts="a\n" * 60, variants=2))["tasks"]) == 120


# --- all or nothing ----------------------------------------------------------------------------------


async def test_what_cannot_all_be_paid_for_is_not_begun(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, lab := Lab(), balance=3 * PRICE - 1) as ann:
        answer = await ann.http.post(BATCH, json={"prompts": "a\nb\nc"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (402, "insufficient_credits")
        assert "1 more" in answer.json()["error"]["message"]
        assert await nothing_was_made(ann)
        await opportunity()
        assert lab.orders == []
        assert len((await made(ann, prompts="a\nb"))["tasks"]) == 2


async def test_a_plan_allows_all_of_a_batch_or_none(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), plans={"default": {"per_hour": 3}}) as ann:
        answer = await ann.http.post(BATCH, json={"prompts": "a\nb\nc\nd"})
        # Waiting would not help: an hour never has so many.
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "plan_forbids")
        assert await nothing_was_made(ann)
        assert len((await made(ann, prompts="a\nb"))["tasks"]) == 2
        answer = await ann.http.post(BATCH, json={"prompts": "a\nb"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "plan_limit")
        assert int(answer.headers["retry-after"]) > 3000
        assert len((await made(ann, prompts="a"))["tasks"]) == 1


async def test_what_costs_more_than_a_plan_allows_in_a_day_is_no_matter_of_waiting(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), plans={"default": {"daily_credits": 2 * PRICE}}) as ann:
        answer = await ann.http.post(BATCH, json={"prompts": "a\nb\nc"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "plan_forbids")
        assert len((await made(ann, prompts="a\nb"))["tasks"]) == 2


async def test_whose_plan_is_for_those_who_never_wait_does_not_wait_for_a_batch_either(
    tmp_path: Path,
) -> None:
    async with at_the_lab(tmp_path, Lab(), plans={"default": {"priority": "vip"}}) as ann:
        assert {task["priority"] for task in (await made(ann, prompts="a\nb"))["tasks"]} == {"vip"}


@pytest.mark.parametrize("videos", [1, 3])
async def test_the_same_key_leads_to_the_same_batch(videos: int, tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        wish, key = {"prompts": "a\n" * videos}, {"Idempotency-Key": "trip-1"}
        answers = await asyncio.gather(*[ann.http.post(BATCH, json=wish, headers=key) for _ in range(3)])
        first, *others = [answer.json() for answer in answers]
        for other in others:
            assert other["batchId"] == first["batchId"]
            assert [task["videoId"] for task in other["tasks"]] == [
                task["videoId"] for task in first["tasks"]
            ]
            assert other["credits"] == first["credits"] == videos * PRICE
        assert len((await ann.get(TASKS)).json()["tasks"]) == videos
        other_wish = await ann.http.post(BATCH, json={"prompts": "b"}, headers=key)
        assert other_wish.json()["error"]["code"] == "idempotency_mismatch"


# --- looking at it -----------------------------------------------------------------------------------


async def test_a_batch_is_listed_and_counted_for_whoever_may_see_it(tmp_path: Path) -> None:
    async with (
        at_the_lab(tmp_path, Lab(), upstream={"max_concurrent": 1}) as ann,
        person(ann.gateway, "bob") as bob,
        person(ann.gateway, "root", "admin") as root,
    ):
        await ann.make("not of it")
        batch = await made(ann, prompts="a\nb\nc")
        about = f"/api/video/batches/{batch['batchId']}"
        ids = {task["videoId"] for task in batch["tasks"]}
        for who in (ann, root):
            listed = (await who.get(f"{TASKS}?batch={batch['batchId']}")).json()["tasks"]
            assert {task["videoId"] for task in listed} == ids
            seen = (await who.get(about)).json()
            assert (seen["videos"], seen["credits"], seen["counts"]) == (3, 3 * PRICE, {"queued": 3})
        assert (await bob.get(f"{TASKS}?batch={batch['batchId']}")).json()["tasks"] == []
        assert (await bob.get(about)).status_code == 404
        shown = batch["tasks"][0]["videoId"]
        await ann.http.post(f"{TASKS}/{shown}/visibility", json={"visibility": "team"})
        assert (await bob.get(about)).json()["videos"] == 1
        cancelled = batch["tasks"][1]["videoId"]
        await ann.http.post(f"{TASKS}/{cancelled}/cancel")
        await ann.comes_to(cancelled, "cancelled")
        assert (await ann.get(about)).json()["counts"] == {"queued": 2, "cancelled": 1}
        await ann.http.delete(f"{TASKS}/{cancelled}")
        assert (await ann.get(about)).json()["videos"] == 2


async def test_whoever_waits_is_told_their_place_and_when_it_should_be_theirs(tmp_path: Path) -> None:
    """One place upstream: what is being made waits for none, and single videos go before those of a batch."""
    # Slowly: whoever waits for long rises to the lane above.
    async with at_the_lab(tmp_path, Lab(), upstream={"max_concurrent": 1}, speed=5) as ann:
        making = await ann.comes_to((await ann.make("the one that is made"))["videoId"], "processing")
        assert (making["queuePosition"], making["estimatedStartAt"]) == (None, None)
        batch = await made(ann, prompts="a\nb")
        single = await ann.make("asked for later")
        ids = [single["videoId"], *[task["videoId"] for task in batch["tasks"]]]
        async with asyncio.timeout(20):
            while True:
                waiting = [await ann.task(video_id) for video_id in ids]
                places = [task["queuePosition"] for task in waiting]
                if places in ([1, 2, 3], [1, 3, 2]):
                    break
                await asyncio.sleep(0.01)
        starts = {task["queuePosition"]: task["estimatedStartAt"] for task in waiting}
        assert making["submittedAt"] < starts[1] < starts[2] < starts[3]
        await ann.http.post(f"{TASKS}/{single['videoId']}/cancel")
        await ann.comes_to(single["videoId"], "cancelled")
        after = [(await ann.task(video_id))["queuePosition"] for video_id in ids]
        assert after == [None, *[place - 1 for place in places[1:]]]
