"""LiteLLM in front of us: a client, LiteLLM's proxy with an ``openai`` model, gateway."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from tests.clients.python.checking import Checks, png, same
from tests.peers.person import Person, error, until
from tests.peers.proxy import Proxy

ONCE = {"x-litellm-num-retries": "0"}
"""LiteLLM would try thrice whatever fails, which takes seconds."""

checks = Checks()
limits = Checks()
"""What LiteLLM cannot do, each seen to be so."""


@dataclass(frozen=True)
class Front:
    client: Person
    """Somebody at LiteLLM. Its models: ``sora-2`` here, ``stranger`` with a wrong key, ``poor`` without credits."""
    ours: Person
    """Whom LiteLLM's ``sora-2`` acts as, at our gateway itself."""
    proxy: Proxy
    called_before: list[str]
    """Hosts off this machine that LiteLLM had wanted to speak to."""


def inner(wrapped: str) -> str:
    """Our id in LiteLLM's."""
    return base64.b64decode(wrapped.removeprefix("video_")).decode().rpartition(":")[2]


@checks
def a_video_is_made_and_its_file_is_ours(front: Front) -> None:
    video = front.client.made(front.client.create("a paper boat"))
    front.client.has_the_clip(video)
    same(front.ours.seen(inner(video))["prompt"], "a paper boat")


@checks
def a_video_is_made_from_an_image_in_a_form(front: Front) -> None:
    front.client.has_the_clip(
        front.client.made(front.client.create_with_image("a photograph", png(720, 1280)))
    )


@checks
def an_image_of_another_size_is_fitted_by_us(front: Front) -> None:
    front.client.has_the_clip(front.client.made(front.client.create_with_image("a thumbnail", png(96, 64))))


@checks
def a_text_is_no_image(front: Front) -> None:
    answer = front.client.create_with_image("a text", b"plain words")
    same(answer.status_code, 400)
    assert "invalid_image" in error(answer)["message"], answer.text


@checks
def seconds_may_be_a_number(front: Front) -> None:
    video = front.client.made(front.client.create("a clock", seconds=8))
    same(front.client.seen(video)["seconds"], "8")


@checks
def the_states_and_progress_are_seen(front: Front) -> None:
    video = front.client.made(front.client.create("a walk [[fault:duration=2]]"))
    assert front.client.seen(video)["status"] in ("queued", "in_progress")
    running = until(lambda: front.client.seen(video), lambda seen: seen["status"] == "in_progress")
    assert 0 <= running["progress"] < 100, running
    same(front.client.ended(video)["progress"], 100)


@checks
def a_forbidden_prompt_fails_and_says_why(front: Front) -> None:
    video = front.client.ended(front.client.made(front.client.create("a forbidden boat")))
    same((video["status"], video["error"]["code"]), ("failed", "moderation_blocked"))


@checks
def a_file_that_is_not_there_yet_is_refused(front: Front) -> None:
    video = front.client.made(front.client.create("a long walk [[fault:duration=3]]"))
    answer = front.client.http.get(f"/v1/videos/{video}/content", headers=ONCE)
    same((answer.status_code, error(answer)["code"]), (409, "409"))


@checks.each("401 stranger", "402 poor", "400 nobody")
def refusals_keep_their_status(front: Front, which: str) -> None:
    status, _, model = which.partition(" ")
    answer = front.client.create("a refusal", model=model)
    same((str(answer.status_code), error(answer)["code"]), (status, status))


@checks.each("size 7x7", "seconds 0")
def what_we_cannot_make_is_refused(front: Front, what: str) -> None:
    field, _, value = what.partition(" ")
    answer = front.client.create("a refusal", **{field: value})
    same((answer.status_code, error(answer)["type"]), (400, "invalid_request_error"))
    assert field in error(answer)["message"], answer.text


@checks
def a_video_that_we_do_not_have_is_404(front: Front) -> None:
    text = "litellm:custom_llm_provider:openai;model_id:sora-2;video_id:video_none"
    answer = front.client.http.get(f"/v1/videos/video_{base64.b64encode(text.encode()).decode()}")
    same((answer.status_code, error(answer)["code"]), (404, "404"))


@checks
def nothing_of_this_has_left_the_machine(front: Front) -> None:
    same(front.proxy.elsewhere(), front.called_before)


@limits
def it_deletes_nothing(front: Front) -> None:
    video = front.client.made(front.client.create("to be deleted"))
    same(front.client.http.delete(f"/v1/videos/{video}").status_code, 405)


@limits
def it_lists_nothing_without_the_name_of_a_provider(front: Front) -> None:
    same(front.client.http.get("/v1/videos").status_code, 400)


@limits
def with_the_name_it_lists_openais_own_and_not_ours(front: Front) -> None:
    goes_to_openai(front, "GET", "/v1/videos?custom_llm_provider=openai")


@limits
def it_makes_characters_at_openai_and_not_here(front: Front) -> None:
    before = front.proxy.elsewhere()
    answer = front.client.http.post(
        "/v1/videos/characters", data={"name": "Ann"}, files={"video": ("a.mp4", b"a video", "video/mp4")}
    )
    same((answer.status_code, front.proxy.elsewhere() != before), (500, True))


@limits
def the_id_in_its_answer_to_a_look_cannot_be_looked_at(front: Front) -> None:
    video = front.client.made(front.client.create("two ids"))
    other = str(front.client.seen(video)["id"])
    same((inner(other), other == video), (inner(video), False))
    goes_to_openai(front, "GET", f"/v1/videos/{other}")


@limits
def an_id_that_is_not_its_own_is_asked_for_at_openai(front: Front) -> None:
    goes_to_openai(front, "GET", "/v1/videos/video_none")


@limits
def a_remix_is_made_and_cannot_be_looked_at(front: Front) -> None:
    video = front.client.made(front.client.create("the source"))
    front.client.ended(video)
    remix = front.client.made(
        front.client.http.post(f"/v1/videos/{video}/remix", json={"prompt": "at night"})
    )
    same(front.ours.seen(inner(remix))["remixed_from_video_id"], inner(video))
    goes_to_openai(front, "GET", f"/v1/videos/{remix}")


@limits
def it_sends_the_video_for_every_variant(front: Front) -> None:
    video = front.client.made(front.client.create("a still"))
    front.client.ended(video)
    same(front.ours.content(inner(video), variant="thumbnail").headers["content-type"], "image/webp")
    same(front.client.content(video, variant="thumbnail").headers["content-type"], "video/mp4")


@limits
def it_sends_whole_files_where_a_range_is_asked_for(front: Front) -> None:
    video = front.client.made(front.client.create("a range"))
    front.client.ended(video)
    path, first = f"/v1/videos/{video}/content", {"range": "bytes=0-9"}
    same(front.client.http.get(path, headers=first).status_code, 200)


@limits
def it_passes_no_idempotency_key_on(front: Front) -> None:
    def send() -> str:
        return front.client.made(
            front.client.http.post(
                "/v1/videos",
                json={"model": "sora-2", "prompt": "twice"},
                headers={"idempotency-key": "the same"},
            )
        )

    assert inner(send()) != inner(send())


@limits
def it_takes_no_image_in_json(front: Front) -> None:
    address = f"data:image/png;base64,{base64.b64encode(png(720, 1280)).decode()}"
    answer = front.client.http.post(
        "/v1/videos",
        json={"model": "sora-2", "prompt": "an address", "input_reference": {"image_url": address}},
        headers=ONCE,
    )
    same(answer.status_code, 400)
    assert "has no attribute 'read'" in error(answer)["message"], answer.text


def goes_to_openai(front: Front, method: str, path: str) -> None:
    """LiteLLM knows no other place for it; here it is kept from going there."""
    before = front.proxy.elsewhere()
    answer = front.client.http.request(method, path, headers=ONCE)
    same(answer.status_code, 500)
    same(set(front.proxy.elsewhere()[len(before) :]), {"api.openai.com"})
