"""Answers that are lost on the way. The SDK sends the request again, without a key: that must not cost twice."""

from __future__ import annotations

import asyncio
from typing import Any

import openai

from tests.clients.python.checking import Checks, png, same
from tests.clients.python.sdk import PORTRAIT, Sdk

checks = Checks()

WAYS = (
    "unsent", "cut", "vanish", "drop", "half", "silence", "500", "502", "503", "429", "drop, drop", "502, drop",
    "unsent, drop", "drop, unsent", "silence, 500",
)  # fmt: skip
"""Words of ``lossy_proxy``, one for each time that the request is sent."""

TIMEOUT = 3.0
"""Seconds after which the SDK takes silence for a loss."""


def lost(way: str) -> dict[str, Any]:
    return {"extra_headers": {"x-lose": way}}


def tries(way: str) -> int:
    return way.count(",") + 2


@checks.each(*WAYS)
def an_answer_lost_on_the_way_makes_one_video(sdk: Sdk, way: str) -> None:
    client, sent = sdk.client(lossy=True, timeout=TIMEOUT)
    prompt = sdk.prompt(f"lost by {way}")
    video = client.videos.create(prompt=prompt, **lost(way))
    same([entry.headers["x-stainless-retry-count"] for entry in sent], [str(n) for n in range(tries(way))])
    same(sdk.ids_of(prompt), [video.id])
    same(sdk.ended(sdk.client()[0], video.id).status, "completed")
    same(sdk.paid(prompt, 1), 1)


@checks.each("cut", "vanish", "drop", "silence", "502, drop")
def an_answer_lost_on_the_way_makes_one_video_of_an_image(sdk: Sdk, way: str) -> None:
    client, sent = sdk.client(lossy=True, timeout=TIMEOUT)
    prompt = sdk.prompt(f"image lost by {way}")
    reference = ("first.png", png(720, 1280), "image/png")
    video = client.videos.create(prompt=prompt, input_reference=reference, size=PORTRAIT, **lost(way))
    same(len(sent), tries(way))
    same(sdk.ids_of(prompt), [video.id])
    same(sdk.ended(sdk.client()[0], video.id).status, "completed")
    same(sdk.paid(prompt, 1), 1)


@checks
def a_create_whose_every_answer_is_lost_makes_one_video(sdk: Sdk) -> None:
    client, sent = sdk.client(lossy=True)
    prompt = sdk.prompt("lost for good")
    try:
        client.videos.create(prompt=prompt, **lost("drop, drop, drop"))
    except openai.APIConnectionError:
        same(len(sent), 3)
    else:
        raise AssertionError("the SDK never saw an answer, and yet it returned")
    same(len(sdk.ids_of(prompt)), 1)
    same(sdk.paid(prompt, 1), 1)


@checks.each("drop", "vanish", "502, drop", "silence")
def two_equal_creates_at_once_make_two_videos_when_both_answers_are_lost(sdk: Sdk, way: str) -> None:
    prompt = sdk.prompt(f"twice at once, lost by {way}")

    async def make() -> list[Any]:
        async with sdk.async_client(lossy=True, timeout=TIMEOUT) as client:
            return await asyncio.gather(*(client.videos.create(prompt=prompt, **lost(way)) for _ in range(2)))

    made = asyncio.run(make())
    same(len({video.id for video in made}), 2)
    same(sorted(sdk.ids_of(prompt)), sorted(video.id for video in made))
    same(sdk.paid(prompt, 2), 2)


@checks
def equal_creates_one_after_another_are_videos_of_their_own(sdk: Sdk) -> None:
    """Also when an answer is lost between answers that came: nobody gets another call's video."""
    client, _ = sdk.client(lossy=True)
    prompt = sdk.prompt("again and again")
    made = [client.videos.create(prompt=prompt, **lost(way)).id for way in ("", "drop", "", "500, drop", "")]
    same(len(set(made)), 5)
    same(sorted(sdk.ids_of(prompt)), sorted(made))
    same(sdk.paid(prompt, 5), 5)


@checks
def two_images_with_one_prompt_are_two_videos(sdk: Sdk) -> None:
    client, _ = sdk.client(lossy=True)
    prompt = sdk.prompt("same words, other picture")
    made = [
        client.videos.create(prompt=prompt, input_reference=("a.png", image, "image/png"), **lost("drop")).id
        for image in (png(64, 96), png(96, 64))
    ]
    same(len(set(made)), 2)
    same(sorted(sdk.ids_of(prompt)), sorted(made))
    same(sdk.paid(prompt, 2), 2)


@checks
def a_lost_answer_with_an_idempotency_key_makes_one_video(sdk: Sdk) -> None:
    client, sent = sdk.client(lossy=True)
    prompt = sdk.prompt("lost with a key")
    headers = {"x-lose": "drop, 502", "Idempotency-Key": prompt.replace(" ", "-")}
    video = client.videos.create(prompt=prompt, extra_headers=headers)
    same(len(sent), 3)
    same(sdk.ids_of(prompt), [video.id])
    same(sdk.paid(prompt, 1), 1)


@checks.each("drop", "502, drop", "vanish")
def a_lost_answer_to_a_remix_makes_one_video(sdk: Sdk, way: str) -> None:
    source = sdk.finished("a source")
    client, sent = sdk.client(lossy=True)
    prompt = sdk.prompt(f"remix lost by {way}")
    remix = client.videos.remix(source.id, prompt=prompt, **lost(way))
    same(len(sent), tries(way))
    same(remix.remixed_from_video_id, source.id)
    same(sdk.ids_of(prompt), [remix.id])
    same(sdk.paid(prompt, 1), 1)


@checks.each("edit", "extend")
def a_lost_answer_to_an_upload_makes_one_video(sdk: Sdk, method: str) -> None:
    client, sent = sdk.client(lossy=True)
    prompt = sdk.prompt(f"{method} lost")
    more: dict[str, Any] = {"seconds": "4"} if method == "extend" else {}
    with open(sdk.place.clip, "rb") as clip:
        call = getattr(client.videos, method)
        video = call(prompt=prompt, video=("clip.mp4", clip.read(), "video/mp4"), **more, **lost("drop, 500"))
    same(len(sent), 3)
    same(sdk.ids_of(prompt), [video.id])
    same(sdk.paid(prompt, 1), 1)


@checks
def ten_creates_at_once_that_lose_their_answers_make_ten_videos(sdk: Sdk) -> None:
    prompts = [sdk.prompt("one of ten, lost") for _ in range(10)]

    async def make() -> list[Any]:
        async with sdk.async_client(lossy=True) as client:
            return await asyncio.gather(
                *(client.videos.create(prompt=prompt, **lost("drop")) for prompt in prompts)
            )

    made = asyncio.run(make())
    same([sdk.ids_of(prompt) for prompt in prompts], [[video.id] for video in made])
    same([sdk.paid(prompt, 1) for prompt in prompts], [1] * 10)


@checks
def a_lost_answer_to_a_delete_is_told_as_not_found(sdk: Sdk) -> None:
    """The second try finds nothing: the video is gone, and nothing else is touched."""
    client, sent = sdk.client(lossy=True)
    video = sdk.finished("deleted twice")
    try:
        client.videos.delete(video.id, **lost("drop"))
    except openai.NotFoundError:
        same(len(sent), 2)
    else:
        raise AssertionError("the second try should have found nothing")
    same(sdk.ids_of(video.prompt), [])
