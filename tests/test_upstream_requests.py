"""What is paid for, as it is on the wire: every operation, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from email.parser import BytesParser
from email.policy import HTTP

import pytest

from sora_gateway.core.job import ExternalId
from sora_gateway.core.operation import Operation
from sora_gateway.core.outcome import CreateAnswer, OutcomeClass, classify
from sora_gateway.upstream.openai import OpenAIAdapter
from sora_gateway.upstream.profiles import PROFILES, Profile

from .raw_server import Received, Wire, always, answer, serving_raw
from .sample_videos import sample_mp4
from .upstream_cases import KEY, ORDER, talking_to

RECEIPT: dict[str, object] = {"id": "video_2", "object": "video", "status": "queued", "progress": 0}
SOURCE = ExternalId("video_1")
TEXT = 'ein Boot\r\n"im Regen" \\ 纸船 🚣\n--boundary\n\x00 & = ;'
VIDEO = sample_mp4()
IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8192

REMIX = replace(ORDER, operation=Operation.REMIX, source=SOURCE)
EDIT = replace(ORDER, operation=Operation.EDIT, source=SOURCE)
EXTEND = replace(ORDER, operation=Operation.EXTEND, source=SOURCE)
UPLOADED = {"source": None, "source_file": VIDEO, "source_type": "video/mp4"}


@dataclass(frozen=True)
class Piece:
    """One part of a form as it arrived."""

    name: str
    value: bytes
    filename: str | None = None
    media_type: str | None = None


def form_of(request: Received) -> list[Piece]:
    """The parts of a multipart body, read by another library than the one that wrote them."""
    kind = request.headers["content-type"]
    assert re.fullmatch(r"multipart/form-data; boundary=[0-9a-f]+", kind)
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
    pieces = []
    # The parser mends line ends, so it is asked for the heads, and the bytes are cut out.
    bodies = request.body.split(b"--" + kind.partition("boundary=")[2].encode())[1:-1]
    for part, raw in zip(message.iter_parts(), bodies, strict=True):
        head, _, body = raw.partition(b"\r\n\r\n")
        disposition = part["content-disposition"]
        media_type = part.get_content_type() if b"Content-Type" in head else None
        params = disposition.params
        pieces.append(Piece(params["name"], body.removesuffix(b"\r\n"), params.get("filename"), media_type))
    return pieces


async def sent(
    call: Callable[[OpenAIAdapter], Awaitable[CreateAnswer]], profile: str | Profile = "openai"
) -> Received:
    """The one request that *call* makes; it is answered with a receipt."""
    async with (
        serving_raw(always(answer(200, RECEIPT))) as server,
        talking_to(server.url, profile) as upstream,
    ):
        assert (await call(upstream)).external_id == "video_2"
        [request] = server.requests
    assert request.method == "POST"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-client-request-id"] == "attempt_1"
    return request


# --- by the id of a video that is there --------------------------------------------------------------


async def test_a_remix_is_its_prompt() -> None:
    request = await sent(lambda upstream: upstream.create(REMIX, 5))
    assert request.target == "/v1/videos/video_1/remix"
    assert request.headers["content-type"] == "application/json"
    assert request.json == {"prompt": "a paper boat in the rain"}


async def test_a_remix_on_tokens_pool_names_the_model_again() -> None:
    request = await sent(lambda upstream: upstream.create(REMIX, 5), "tokens-pool")
    assert request.target == "/v1/videos/video_1/remix"
    assert request.json == {"prompt": "a paper boat in the rain", "model": "sora-2"}


async def test_an_edit_names_its_source() -> None:
    request = await sent(lambda upstream: upstream.create(EDIT, 5))
    assert request.target == "/v1/videos/edits"
    assert request.json == {"prompt": "a paper boat in the rain", "video": {"id": "video_1"}}


async def test_an_extension_says_how_much_it_adds() -> None:
    request = await sent(lambda upstream: upstream.create(EXTEND, 5))
    assert request.target == "/v1/videos/extensions"
    assert request.json == {
        "prompt": "a paper boat in the rain", "seconds": "8", "video": {"id": "video_1"}
    }  # fmt: skip


async def test_a_profile_names_the_length_of_an_extension_too() -> None:
    profile = Profile(duration_field="duration", duration_type="integer")
    request = await sent(lambda upstream: upstream.create(EXTEND, 5), profile)
    assert request.json["duration"] == 8
    assert "seconds" not in request.json


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("vid/eo?x=1#y", "/v1/videos/vid%2Feo%3Fx%3D1%23y/remix"),
        ("video_b64==", "/v1/videos/video_b64%3D%3D/remix"),
    ],
)
async def test_an_id_stays_within_its_place_in_the_path(source: str, path: str) -> None:
    order = replace(REMIX, source=ExternalId(source))
    assert (await sent(lambda upstream: upstream.create(order, 5))).target == path


# --- with an uploaded video --------------------------------------------------------------------------


async def test_an_edit_of_an_uploaded_video_is_a_form_with_the_file() -> None:
    order = replace(EDIT, **UPLOADED)  # type: ignore[arg-type]
    request = await sent(lambda upstream: upstream.create(order, 5))
    assert request.target == "/v1/videos/edits"
    assert form_of(request) == [
        Piece("prompt", b"a paper boat in the rain"),
        Piece("video", VIDEO, "source.mp4", "video/mp4"),
    ]


async def test_an_extension_of_an_uploaded_video_is_a_form_with_the_file() -> None:
    order = replace(EXTEND, **UPLOADED)  # type: ignore[arg-type]
    request = await sent(lambda upstream: upstream.create(order, 5))
    assert request.target == "/v1/videos/extensions"
    assert form_of(request) == [
        Piece("prompt", b"a paper boat in the rain"),
        Piece("seconds", b"8"),
        Piece("video", VIDEO, "source.mp4", "video/mp4"),
    ]


# --- the image that a video begins with ---------------------------------------------------------------

FIRST_FRAME = replace(ORDER, image=b"\x89PNG", image_type="image/png")
DATA_URL = "data:image/png;base64,iVBORw=="


@pytest.mark.parametrize("profile", ["openai", "generic", "vllm-omni", "sglang", "litellm", "new-api"])
async def test_an_image_is_a_file_called_input_reference(profile: str) -> None:
    request = await sent(lambda upstream: upstream.create(FIRST_FRAME, 5), profile)
    assert form_of(request)[-1] == Piece("input_reference", b"\x89PNG", "reference.png", "image/png")


async def test_tokens_pool_takes_a_list_of_files() -> None:
    request = await sent(lambda upstream: upstream.create(FIRST_FRAME, 5), "tokens-pool")
    assert form_of(request) == [
        Piece("model", b"sora-2"),
        Piece("prompt", b"a paper boat in the rain"),
        Piece("duration", b"8"),
        Piece("size", b"1280x720"),
        Piece("input_reference[]", b"\x89PNG", "reference.png", "image/png"),
    ]


async def test_inworld_takes_an_object_and_older_builds_of_new_api_a_text() -> None:
    request = await sent(lambda upstream: upstream.create(FIRST_FRAME, 5), "inworld")
    assert request.json["input_reference"] == {"image_url": DATA_URL}
    request = await sent(lambda upstream: upstream.create(FIRST_FRAME, 5), "new-api-legacy")
    assert request.target == "/v1/video/generations"
    assert request.json == {
        "model": "sora-2",
        "prompt": "a paper boat in the rain",
        "duration": 8,
        "size": "1280x720",
        "image": DATA_URL,
    }


async def test_vllm_omni_gets_a_form_even_without_an_image() -> None:
    request = await sent(lambda upstream: upstream.create(ORDER, 5), "vllm-omni")
    assert [piece.name for piece in form_of(request)] == ["model", "prompt", "seconds", "size"]


async def test_sglang_gets_its_seconds_as_a_number() -> None:
    assert (await sent(lambda upstream: upstream.create(ORDER, 5), "sglang")).json["seconds"] == 8


# --- characters --------------------------------------------------------------------------------------


async def test_a_character_is_a_name_and_a_video() -> None:
    request = await sent(
        lambda upstream: upstream.create_character('Mossy "the" 苔', VIDEO, "video/mp4", 5, "attempt_1")
    )
    assert request.target == "/v1/videos/characters"
    assert form_of(request) == [
        Piece("name", 'Mossy "the" 苔'.encode()),
        Piece("video", VIDEO, "character.mp4", "video/mp4"),
    ]


async def test_characters_appear_in_a_create() -> None:
    order = replace(ORDER, characters=("char_1", "char_2"))
    request = await sent(lambda upstream: upstream.create(order, 5))
    assert request.json == {
        "model": "sora-2",
        "prompt": "a paper boat in the rain",
        "seconds": "8",
        "size": "1280x720",
        "characters": [{"id": "char_1"}, {"id": "char_2"}],
    }


async def test_characters_appear_in_a_form_as_the_official_library_writes_them() -> None:
    order = replace(ORDER, characters=("char_1", "char_2"), image=b"abc", image_type="image/png")
    assert form_of(await sent(lambda upstream: upstream.create(order, 5))) == [
        Piece("model", b"sora-2"),
        Piece("prompt", b"a paper boat in the rain"),
        Piece("seconds", b"8"),
        Piece("size", b"1280x720"),
        Piece("characters[][id]", b"char_1"),
        Piece("characters[][id]", b"char_2"),
        Piece("input_reference", b"abc", "reference.png", "image/png"),
    ]


# --- whatever people write ---------------------------------------------------------------------------


@pytest.mark.parametrize("order", [ORDER, REMIX, EDIT, EXTEND], ids=lambda order: order.operation)
async def test_a_prompt_arrives_as_it_was_written_in_json(order: object) -> None:
    assert isinstance(order, type(ORDER))
    written = replace(order, prompt=TEXT)
    assert (await sent(lambda upstream: upstream.create(written, 5))).json["prompt"] == TEXT


@pytest.mark.parametrize("order", [EDIT, EXTEND], ids=lambda order: order.operation)
async def test_a_prompt_arrives_as_it_was_written_in_a_form(order: object) -> None:
    assert isinstance(order, type(ORDER))
    written = replace(order, prompt=TEXT, **UPLOADED)  # type: ignore[arg-type]
    pieces = form_of(await sent(lambda upstream: upstream.create(written, 5)))
    assert pieces[0] == Piece("prompt", TEXT.encode())


async def test_an_image_of_two_megabytes_arrives_whole_beside_such_a_prompt() -> None:
    order = replace(ORDER, prompt=TEXT, image=IMAGE, image_type="image/webp")
    request = await sent(lambda upstream: upstream.create(order, 10))
    assert len(IMAGE) > 2 << 20
    assert int(request.headers["content-length"]) == len(request.body)
    assert "transfer-encoding" not in request.headers
    assert form_of(request) == [
        Piece("model", b"sora-2"),
        Piece("prompt", TEXT.encode()),
        Piece("seconds", b"8"),
        Piece("size", b"1280x720"),
        Piece("input_reference", IMAGE, "reference.webp", "image/webp"),
    ]


async def test_half_a_surrogate_pair_is_replaced_and_breaks_nothing() -> None:
    order = replace(EDIT, prompt="a \ud83d boat", **UPLOADED)  # type: ignore[arg-type]
    pieces = form_of(await sent(lambda upstream: upstream.create(order, 5)))
    assert pieces[0] == Piece("prompt", b"a ? boat")


# --- what is not sent --------------------------------------------------------------------------------

UNSENDABLE = {
    "a remix where there is none": ("generic", REMIX),
    "an edit where there is none": ("generic", EDIT),
    "an extension where there is none": ("generic", EXTEND),
    "characters where there are none": ("generic", replace(ORDER, characters=("char_1",))),
    "a remix of nothing": ("openai", replace(REMIX, source=None)),
    "an edit of nothing": ("openai", replace(EDIT, source=None)),
    "an extension of an empty file": ("openai", replace(EXTEND, source=None, source_file=b"")),
}


@pytest.mark.parametrize("case", UNSENDABLE)
async def test_what_cannot_be_asked_for_there_is_not_sent(case: str) -> None:
    profile, order = UNSENDABLE[case]
    async with (
        serving_raw(always(answer(200, RECEIPT))) as server,
        talking_to(server.url, profile) as upstream,
    ):
        found = await upstream.create(order, 5)
        assert server.connections == 0
    assert classify(found, upstream.rules).kind is OutcomeClass.NOT_SENT
    assert found.not_sent is not None
    assert found.not_sent.startswith(("the upstream has no ", "there is no video"))


async def test_a_character_is_not_sent_where_there_are_none() -> None:
    async with serving_raw(always(b"")) as server, talking_to(server.url, "generic") as upstream:
        found = await upstream.create_character("Mossy", VIDEO, "video/mp4", 5, "attempt_1")
        assert (found.not_sent, server.connections) == ("the upstream has no characters", 0)


def test_every_profile_takes_a_create_and_only_described_servers_take_more() -> None:
    assert all(Operation.CREATE in profile.operations for profile in PROFILES.values())
    more = {name for name, profile in PROFILES.items() if profile.characters or len(profile.operations) > 1}
    assert more == {"openai", "simulator", "tokens-pool", "tokens-pool-raw"}


# --- all of it is paid for ---------------------------------------------------------------------------

PAID: dict[str, Callable[[OpenAIAdapter], Awaitable[CreateAnswer]]] = {
    "remix": lambda upstream: upstream.create(REMIX, 5),
    "edit": lambda upstream: upstream.create(EDIT, 5),
    "edit of a file": lambda upstream: upstream.create(replace(EDIT, **UPLOADED), 5),  # type: ignore[arg-type]
    "extend": lambda upstream: upstream.create(EXTEND, 5),
    "character": lambda upstream: upstream.create_character("Mossy", VIDEO, "video/mp4", 5, "attempt_1"),
}
paid = pytest.mark.parametrize("call", PAID.values(), ids=PAID)
Paid = Callable[[OpenAIAdapter], Awaitable[CreateAnswer]]


@paid
async def test_each_has_a_connection_of_its_own(call: Paid) -> None:
    async def keep_open(_: Received, wire: Wire) -> None:
        await wire.send(answer(200, RECEIPT))
        await wire.hang()

    async with serving_raw(keep_open) as server, talking_to(server.url) as upstream:
        await upstream.look(SOURCE)
        await call(upstream)
        await call(upstream)
        assert server.connections == 3


@paid
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer(200, {"id": "char_1", "name": "Mossy", "created_at": 1}), OutcomeClass.RECEIPT),
        (answer(200, {"id": "../admin"}), OutcomeClass.UNKNOWN),
        (answer(200, {"error": {"message": "no"}}), OutcomeClass.UNKNOWN),
        (answer(404, {"error": {"message": "No such video.", "code": "not_found"}}), OutcomeClass.REFUSED),
        (answer(429, "", {"Retry-After": "3"}), OutcomeClass.REFUSED_FOR_NOW),
        (answer(402), OutcomeClass.OUT_OF_ORDER),
        (answer(500), OutcomeClass.UNKNOWN),
        (answer(200, RECEIPT)[:-5], OutcomeClass.UNKNOWN),
        (b"", OutcomeClass.UNKNOWN),
    ],
    ids=["id", "no id", "error", "404", "429", "402", "500", "half", "nothing"],
)
async def test_each_is_judged_as_a_create_and_never_repeated(
    call: Paid, reply: bytes, kind: OutcomeClass
) -> None:
    async with serving_raw(always(reply)) as server, talking_to(server.url) as upstream:
        found = await call(upstream)
        assert len(server.requests) == server.connections == 1
        assert classify(found, upstream.rules).kind is kind
