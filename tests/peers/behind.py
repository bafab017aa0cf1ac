"""LiteLLM as our upstream: gateway, its profile ``litellm``, LiteLLM's proxy, a simulator."""

from __future__ import annotations

from dataclasses import dataclass

from sora_gateway.upstream.detection import NOBODYS
from tests.clients.python.checking import Checks, png, same
from tests.peers.person import Person, error, until
from tests.peers.proxy import Proxy
from tests.processes import LoggingUpstream

checks = Checks()


@dataclass(frozen=True)
class Behind:
    ours: Person
    """Somebody at our gateway."""
    direct: Person
    """Somebody at LiteLLM itself."""
    proxy: Proxy
    simulator: LoggingUpstream
    doctor: str
    """What ``sora-gateway doctor`` said of it."""
    called_at_start: list[str]
    """Hosts off this machine that LiteLLM wanted to speak to before anybody asked it for anything."""
    called_by_doctor: list[str]


@checks
def litellm_speaks_to_nobody_at_its_start(place: Behind) -> None:
    same(place.called_at_start, [])


@checks
def doctor_is_content_with_litellm(place: Behind) -> None:
    assert "ok upstream litellm:" in " ".join(place.doctor.split()), place.doctor


@checks
def a_video_is_made_and_its_file_is_the_simulators(place: Behind) -> None:
    place.ours.has_the_clip(place.ours.made(place.ours.create("a paper boat")))
    same([create["model"] for create in place.simulator.creates("a paper boat")], ["sora-2-pro"])


@checks
def a_video_is_made_from_an_image_of_another_size(place: Behind) -> None:
    place.ours.has_the_clip(place.ours.made(place.ours.create_with_image("a photograph", png(96, 64))))


@checks
def images_reach_the_simulator(place: Behind) -> None:
    """Which refuses this one; ours always have the video's size."""
    answer = place.direct.create_with_image("a small photograph", png(96, 64), model="clips")
    assert "Inpaint image must match" in error(answer)["message"], answer.text


@checks
def litellms_long_ids_are_kept_whole(place: Behind) -> None:
    video = place.ours.made(place.ours.create("a long id"))
    place.ours.ended(video)
    lengths = {len(one) for one in place.proxy.looked_at() - {NOBODYS}}
    assert min(lengths) > 128, lengths


@checks
def a_forbidden_prompt_fails_and_says_why(place: Behind) -> None:
    video = place.ours.ended(place.ours.made(place.ours.create("a forbidden boat")))
    same(video["status"], "failed")
    same(video["error"]["code"], "moderation_blocked")
    same(place.simulator.creates("a forbidden boat"), [])


@checks
def a_failure_at_the_end_is_shown(place: Behind) -> None:
    video = place.ours.ended(place.ours.made(place.ours.create("a storm [[fault:fail]]")))
    same((video["status"], video["error"]["code"]), ("failed", "moderation_blocked"))


@checks
def an_order_that_is_refused_fails_once(place: Behind) -> None:
    video = place.ours.ended(place.ours.made(place.ours.create("a refusal [[fault:create_400]]")))
    same(video["status"], "failed")
    same(video["error"]["message"], "The request is invalid, as it was asked to be.")
    same(place.simulator.creates("a refusal"), [])


@checks
def a_busy_simulator_is_asked_again_by_us(place: Behind) -> None:
    place.ours.has_the_clip(place.ours.made(place.ours.create("a rush [[fault:create_429=1]]")))
    same(len(place.simulator.creates("a rush")), 1)


@checks
def cancelling_ends_it_here_and_litellm_is_not_asked(place: Behind) -> None:
    video = place.ours.made(place.ours.create("a long walk [[fault:duration=60]]"))
    until(lambda: place.simulator.creates("a long walk"), bool)
    answer = place.ours.http.post(f"/api/video/tasks/{video}/cancel")
    assert answer.is_success, answer.text
    until(lambda: place.ours.task(video)["stage"], lambda stage: stage == "cancelled")
    assert '"DELETE ' not in place.proxy.said


@checks.each(
    "create_drop", "create_500=committed", "create_502_html=committed", "create_half", "create_empty"
)
def an_answer_lost_behind_litellm_is_paid_once_and_held(place: Behind, fault: str) -> None:
    """After these we leave the upstream alone for a while: what needs it comes before."""
    prompt = f"lost by {fault}"
    video = place.ours.made(place.ours.create(f"{prompt} [[fault:{fault}]]"))
    until(lambda: place.ours.task(video)["stage"], lambda stage: stage == "unknown")
    same(len(place.simulator.creates(prompt)), 1)


@checks
def litellm_alone_pays_three_times_for_a_lost_answer(place: Behind) -> None:
    """What our header, ``x-litellm-num-retries: 0``, is for."""
    answer = place.direct.create("left alone [[fault:create_500=committed]]", model="clips")
    same((answer.status_code, error(answer)["code"]), (500, "500"))
    same(len(place.simulator.creates("left alone")), 3)


@checks
def nothing_of_this_has_left_the_machine(place: Behind) -> None:
    """Doctor's question for a video that nobody has made LiteLLM passes on: see the last list."""
    same(place.proxy.elsewhere(), place.called_by_doctor)
