"""Each refusal as the SDK's own exception, with what programs read from it, and without being sent again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai

from tests.clients.python.checking import Checks, png, same
from tests.clients.python.sdk import PORTRAIT, Sdk, Sent

checks = Checks()


def refused(
    call: Callable[[], Any],
    sent: list[Sent],
    kind: type[openai.APIStatusError],
    status: int,
    code: str,
    param: str | None = None,
) -> None:
    """*call* is refused in that way, and its last request was made once."""
    before = len(sent)
    try:
        answer = call()
    except openai.APIStatusError as error:
        found = error
    else:
        raise AssertionError(f"it was not refused: {answer!r}")
    same((type(found), found.status_code), (kind, status))
    same((found.code, found.param), (code, param))
    assert found.request_id, found.response.headers
    body: Any = found.body
    assert body["message"].endswith("."), body
    assert found.type, body
    same(len(sent) - before, 1)


@checks
def a_wrong_size_is_a_bad_request(sdk: Sdk) -> None:
    client, sent = sdk.client()
    wrong: Any = "720x7"
    refused(
        lambda: client.videos.create(prompt=sdk.prompt("odd"), size=wrong),
        sent, openai.BadRequestError, 400, "invalid_request", "size",
    )  # fmt: skip


@checks
def seconds_that_are_no_number_are_a_bad_request(sdk: Sdk) -> None:
    client, sent = sdk.client()
    wrong: Any = "four"
    refused(
        lambda: client.videos.create(prompt=sdk.prompt("odd"), seconds=wrong),
        sent, openai.BadRequestError, 400, "invalid_request", "seconds",
    )  # fmt: skip


@checks
def an_empty_prompt_is_a_bad_request(sdk: Sdk) -> None:
    client, sent = sdk.client()
    refused(
        lambda: client.videos.create(prompt=""),
        sent,
        openai.BadRequestError,
        400,
        "invalid_request",
        "prompt",
    )


@checks
def an_unknown_model_is_a_bad_request(sdk: Sdk) -> None:
    client, sent = sdk.client()
    refused(
        lambda: client.videos.create(prompt=sdk.prompt("odd"), model="sora-0"),
        sent, openai.BadRequestError, 400, "model_not_found", "model",
    )  # fmt: skip


@checks
def an_image_that_is_none_is_a_bad_request(sdk: Sdk) -> None:
    client, sent = sdk.client()
    refused(
        lambda: client.videos.create(
            prompt=sdk.prompt("odd"), input_reference=("a.png", b"<svg/>", "image/png")
        ),
        sent, openai.BadRequestError, 400, "invalid_image", "input_reference",
    )  # fmt: skip


@checks
def a_wrong_key_is_an_authentication_error(sdk: Sdk) -> None:
    client, sent = sdk.client("sg_nobody")
    for call in (
        lambda: client.videos.retrieve("video_1"),
        lambda: client.videos.create(prompt="nobody's"),
        client.videos.list,
    ):
        refused(call, sent, openai.AuthenticationError, 401, "invalid_api_key")


@checks
def a_viewer_is_denied_a_create(sdk: Sdk) -> None:
    client, sent = sdk.client(sdk.place.viewer_key)
    refused(
        lambda: client.videos.create(prompt="a viewer's"),
        sent,
        openai.PermissionDeniedError,
        403,
        "forbidden",
    )
    same(list(client.videos.list()), [])


@checks
def what_is_not_there_is_not_found(sdk: Sdk) -> None:
    client, sent = sdk.client()
    for call in (
        lambda: client.videos.retrieve("video_nothing"),
        lambda: client.videos.delete("video_nothing"),
        lambda: client.videos.download_content("video_nothing"),
        lambda: client.videos.remix("video_nothing", prompt="again"),
        lambda: client.videos.get_character("char_nothing"),
    ):
        refused(call, sent, openai.NotFoundError, 404, "not_found")


@checks
def somebody_elses_video_is_not_found(sdk: Sdk) -> None:
    theirs = sdk.finished("private")
    client, sent = sdk.client(sdk.place.pages_key)
    refused(lambda: client.videos.retrieve(theirs.id), sent, openai.NotFoundError, 404, "not_found")
    refused(lambda: client.videos.download_content(theirs.id), sent, openai.NotFoundError, 404, "not_found")
    refused(lambda: client.videos.delete(theirs.id), sent, openai.NotFoundError, 404, "not_found")


@checks
def what_is_not_finished_is_a_conflict(sdk: Sdk) -> None:
    client, sent = sdk.client()
    video = client.videos.create(prompt=sdk.prompt("slow [[fault:duration=5]]"))
    refused(lambda: client.videos.delete(video.id), sent, openai.ConflictError, 409, "not_finished")
    refused(lambda: client.videos.download_content(video.id), sent, openai.ConflictError, 409, "not_ready")


@checks
def a_remix_of_what_is_not_finished_is_a_conflict(sdk: Sdk) -> None:
    client, sent = sdk.client()
    video = client.videos.create(prompt=sdk.prompt("slow [[fault:duration=5]]"))
    refused(
        lambda: client.videos.remix(video.id, prompt="too early"),
        sent, openai.ConflictError, 409, "not_ready",
    )  # fmt: skip


@checks
def a_key_used_for_something_else_is_a_conflict(sdk: Sdk) -> None:
    client, sent = sdk.client()
    prompt = sdk.prompt("with a key")
    headers = {"Idempotency-Key": prompt.replace(" ", "-")}
    first = client.videos.create(prompt=prompt, extra_headers=headers)
    same(client.videos.create(prompt=prompt, extra_headers=headers).id, first.id)
    same(sdk.ids_of(prompt), [first.id])
    refused(
        lambda: client.videos.create(prompt="something else", extra_headers=headers),
        sent, openai.ConflictError, 409, "idempotency_mismatch",
    )  # fmt: skip


@checks
def too_few_credits_are_told_as_such(sdk: Sdk) -> None:
    client, sent = sdk.client(sdk.place.poor_key)
    refused(
        lambda: client.videos.create(prompt="beyond my means"),
        sent, openai.APIStatusError, 402, "insufficient_credits",
    )  # fmt: skip


@checks
def an_upload_beyond_the_limit_is_refused_and_not_sent_again(sdk: Sdk) -> None:
    client, sent = sdk.client()
    image = png(64, 64) + bytes(27 << 20)
    refused(
        lambda: client.videos.create(
            prompt=sdk.prompt("huge"), size=PORTRAIT, input_reference=("huge.png", image, "image/png")
        ),
        sent, openai.APIStatusError, 413, "too_large",
    )  # fmt: skip
