"""Everything that the SDK offers for videos, where nothing goes wrong."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from pathlib import Path
from typing import Any

from openai.types import Video

from tests.clients.python.checking import Checks, png, same
from tests.clients.python.sdk import PORTRAIT, Sdk, until

checks = Checks()


@checks
def a_video_is_made_from_a_prompt_alone(sdk: Sdk) -> None:
    client, sent = sdk.client()
    prompt = sdk.prompt("a paper boat in the rain")
    video = client.videos.create(prompt=prompt)
    assert sent[0].headers["content-type"].startswith("multipart/form-data"), sent[0].headers
    same((video.object, video.prompt, video.model), ("video", prompt, "sora-2"))
    same((video.size, video.seconds), (PORTRAIT, "4"))
    assert video.status in ("queued", "in_progress"), video.status
    assert video.id.startswith("video_"), video.id
    same((video.error, video.completed_at, video.remixed_from_video_id), (None, None, None))


@checks
def seconds_and_size_and_model_are_taken_over(sdk: Sdk) -> None:
    client, _ = sdk.client()
    video = client.videos.create(
        prompt=sdk.prompt("a lighthouse"), model="sora-2-pro", seconds="8", size="1280x720"
    )
    same((video.model, video.seconds, video.size), ("sora-2-pro", "8", "1280x720"))


@checks
def seconds_may_be_a_number(sdk: Sdk) -> None:
    client, _ = sdk.client()
    seconds: Any = 12
    same(client.videos.create(prompt=sdk.prompt("a clock"), seconds=seconds).seconds, "12")


@checks.each("its size", "another size")
def a_video_is_made_from_an_image(sdk: Sdk, which: str) -> None:
    """An image of another size than the video's is fitted; the upstream would refuse it."""
    image = png(720, 1280) if which == "its size" else png(96, 64)
    client, _ = sdk.client()
    video = client.videos.create(
        prompt=sdk.prompt("from an image"), input_reference=("first.png", image, "image/png"), size=PORTRAIT
    )
    same(sdk.ended(client, video.id).status, "completed")


@checks
def an_image_may_be_an_open_file(sdk: Sdk) -> None:
    client, _ = sdk.client()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "first.png")
        path.write_bytes(png(64, 96))
        with path.open("rb") as file:
            video = client.videos.create(prompt=sdk.prompt("from a file"), input_reference=file)
        other = client.videos.create(prompt=sdk.prompt("from a path"), input_reference=path)
    same(sdk.ended(client, video.id).status, "completed")
    same(sdk.ended(client, other.id).status, "completed")


@checks
def an_image_may_be_a_data_url(sdk: Sdk) -> None:
    """In JSON, as the API's description has it; the SDK's own method takes only files."""
    client, _ = sdk.client()
    url = f"data:image/png;base64,{base64.b64encode(png(64, 96)).decode()}"
    body = {"prompt": sdk.prompt("from a data URL"), "input_reference": {"image_url": url}}
    video = client.post("/videos", cast_to=Video, body=body)
    same(sdk.ended(client, video.id).status, "completed")


@checks
def create_and_poll_waits_as_long_as_the_gateway_says(sdk: Sdk) -> None:
    client, sent = sdk.client()
    video = client.videos.create_and_poll(prompt=sdk.prompt("slow [[fault:duration=2.5]]"), size=PORTRAIT)
    same(video.status, "completed")
    same(video.progress, 100)
    _, first, second, *_ = sent
    same(first.headers["x-stainless-poll-helper"], "true")
    asked = int(first.answer_headers["openai-poll-after-ms"]) / 1000
    assert asked - 0.01 <= second.at - first.at <= asked + 1, (asked, second.at - first.at)
    assert "openai-poll-after-ms" not in sent[-1].answer_headers, "there is nothing left to wait for"


@checks
def a_failed_video_says_why(sdk: Sdk) -> None:
    video = sdk.finished("refused in the end [[fault:fail]]")
    same((video.status, video.error.code), ("failed", "moderation_blocked"))
    assert video.error.message, video.error


@checks
def a_video_is_retrieved_by_its_id(sdk: Sdk) -> None:
    client, _ = sdk.client()
    made = client.videos.create(prompt=sdk.prompt("a kite"))
    found = client.videos.retrieve(made.id)
    same((found.id, found.prompt, found.created_at), (made.id, made.prompt, made.created_at))


@checks
def a_list_is_read_page_by_page_in_both_orders(sdk: Sdk) -> None:
    client, sent = sdk.client(sdk.place.pages_key)
    before = [video.id for video in client.videos.list(order="asc", limit=100)]
    # Quick enough to fall into one second: the order among them must hold all the same.
    made = [client.videos.create(prompt=sdk.prompt("one of five")).id for _ in range(5)]
    everything = before + made
    sent.clear()
    same([video.id for video in client.videos.list(order="asc", limit=2)], everything)
    same(len(sent), (len(everything) + 1) // 2)
    same([video.id for video in client.videos.list(order="desc", limit=2)], everything[::-1])
    same([video.id for video in client.videos.list(limit=2)], everything[::-1])
    page = client.videos.list(limit=2, after=made[4])
    same(([video.id for video in page.data], page.has_more), ([made[3], made[2]], True))


@checks.each("video", "thumbnail", "spritesheet")
def a_finished_video_has_its_files(sdk: Sdk, variant: Any) -> None:
    client, _ = sdk.client()
    video = sdk.finished("with files")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        answer = client.videos.download_content(video.id, variant=variant)
        answer.write_to_file(path)
        content = path.read_bytes()
    kind = answer.response.headers["content-type"]
    same(int(answer.response.headers["content-length"]), len(content))
    if variant == "video":
        same((kind, content[4:8]), ("video/mp4", b"ftyp"))
    else:
        magic = {"image/webp": b"RIFF", "image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG"}
        assert kind in magic, kind
        assert content.startswith(magic[kind]), content[:12]


@checks
def a_file_can_be_streamed(sdk: Sdk) -> None:
    client, _ = sdk.client()
    video = sdk.finished("streamed")
    with client.videos.with_streaming_response.download_content(video.id) as answer:
        size = sum(map(len, answer.iter_bytes(10_000)))
        same(size, int(answer.headers["content-length"]))


@checks
def a_remix_names_its_source(sdk: Sdk) -> None:
    client, _ = sdk.client()
    source = sdk.finished("to be remixed", seconds="8")
    prompt = sdk.prompt("the same at night")
    remix = client.videos.remix(source.id, prompt=prompt)
    same((remix.remixed_from_video_id, remix.prompt), (source.id, prompt))
    assert remix.id != source.id
    done = sdk.ended(client, remix.id)
    same((done.status, done.remixed_from_video_id), ("completed", source.id))


@checks
def an_uploaded_video_is_edited(sdk: Sdk) -> None:
    client, _ = sdk.client()
    prompt = sdk.prompt("in black and white")
    with open(sdk.place.clip, "rb") as clip:
        video = client.videos.edit(prompt=prompt, video=clip)
    same(video.prompt, prompt)
    same(sdk.ended(client, video.id).status, "completed")


@checks
def an_uploaded_video_is_extended(sdk: Sdk) -> None:
    client, _ = sdk.client()
    with open(sdk.place.clip, "rb") as clip:
        video = client.videos.extend(prompt=sdk.prompt("and then"), seconds="4", video=clip)
    done = sdk.ended(client, video.id)
    same(done.status, "completed")
    assert int(done.seconds) > 4, done.seconds


@checks.each("edits", "extensions")
def a_finished_video_is_named_in_json(sdk: Sdk, route: str) -> None:
    """The SDK's own methods take only files; the API's description has the id too."""
    client, _ = sdk.client()
    source = sdk.finished("a source", seconds="4")
    body: dict[str, Any] = {"prompt": sdk.prompt(f"of {route}"), "video": {"id": source.id}}
    if route == "extensions":
        body["seconds"] = "8"
    video = client.post(f"/videos/{route}", cast_to=Video, body=body)
    done = sdk.ended(client, video.id)
    same((done.status, done.seconds), ("completed", "12" if route == "extensions" else "4"))


@checks
def a_character_is_made_and_found_and_used(sdk: Sdk) -> None:
    client, _ = sdk.client()
    name = sdk.prompt("Ada")
    with open(sdk.place.clip, "rb") as clip:
        made = client.videos.create_character(name=name, video=clip)
    assert made.id, made
    same(made.name, name)
    found = client.videos.get_character(made.id)
    same((found.id, found.name, found.created_at), (made.id, made.name, made.created_at))
    video = client.videos.create(
        prompt=sdk.prompt("with a character"), extra_body={"characters": [{"id": made.id}]}
    )
    same(sdk.ended(client, video.id).status, "completed")


@checks
def a_deleted_video_is_gone(sdk: Sdk) -> None:
    client, _ = sdk.client()
    video = sdk.finished("to be deleted")
    gone = client.videos.delete(video.id)
    same((gone.id, gone.deleted, gone.object), (video.id, True, "video.deleted"))
    same(sdk.ids_of(video.prompt), [])


@checks
def the_models_are_listed(sdk: Sdk) -> None:
    client, _ = sdk.client()
    models = list(client.models.list())
    assert "sora-2" in [model.id for model in models], models
    assert all(model.object == "model" for model in models), models
    same(client.models.retrieve("sora-2").id, "sora-2")


@checks
def the_asynchronous_client_makes_ten_videos_at_once(sdk: Sdk) -> None:
    prompts = [sdk.prompt("one of ten") for _ in range(10)]

    async def make() -> list[Any]:
        async with sdk.async_client() as client:
            return await asyncio.gather(*(client.videos.create(prompt=prompt) for prompt in prompts))

    made = asyncio.run(make())
    same([video.prompt for video in made], prompts)
    same(len({video.id for video in made}), 10)
    client, _ = sdk.client()
    for video in made:
        until(lambda: client.videos.retrieve(video.id).status, lambda status: status == "completed")  # noqa: B023 - called at once
