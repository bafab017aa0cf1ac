"""The description of the live protocol: well-formed, and true of every message on a real socket and a real stream."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, ValidationError

from sora_gateway.cli import main
from sora_gateway.core import messages
from sora_gateway.core.messages import LOG_STEPS, SERVER_MESSAGES, parse_client_message
from sora_gateway.core.views import View
from sora_gateway.core.webhooks import TEST_EVENT, EventType
from sora_gateway.errors import CloseCode
from sora_gateway.http import asyncapi, server
from sora_gateway.http.asyncapi import CLIENT_MESSAGES, close_codes, document
from sora_gateway.settings import Realtime
from tests.generated import ROOT, table
from tests.receivers import receiving
from tests.running import Person, person, running, settings_for

Json = dict[str, Any]

NAME = "^[A-Za-z0-9_-]+$"
REFERENCE = {
    "type": "object",
    "required": ["$ref"],
    "properties": {"$ref": {"pattern": "^#/"}},
    "maxProperties": 1,
}
TEXT = {"type": "string", "minLength": 1}


def named(kind: Json) -> Json:
    return {
        "type": "object",
        "minProperties": 1,
        "patternProperties": {NAME: kind},
        "additionalProperties": False,
    }


def with_fields(required: str, optional: str = "", /, **fields: Json) -> Json:
    """An object; ``where`` stands for ``in``, which is no name in Python."""
    names = {"where": "in"}
    known = {names.get(name, name): fields.get(name, {}) for name in f"{required} {optional}".split()}
    return {
        "type": "object", "required": [names.get(name, name) for name in required.split()], "properties": known, "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }  # fmt: skip


REFERENCES = {"type": "array", "items": REFERENCE, "minItems": 1}
WELL_FORMED = with_fields(
    "asyncapi info channels operations components", "servers defaultContentType",
    asyncapi={"const": "3.0.0"},
    info=with_fields("title version", "description license", title=TEXT, version=TEXT, license=with_fields("name", "url")),
    servers=named(
        with_fields(
            "host protocol", "pathname variables",
            host={"type": "string", "pattern": "^[^/]+$"}, pathname={"type": "string", "pattern": "^/"},
            variables=named(with_fields("default", "description")),
        )
    ),
    channels=named(
        with_fields(
            "address messages", "title description servers parameters bindings",
            address={"type": ["string", "null"], "pattern": "^/"}, messages=named(REFERENCE), servers=REFERENCES,
            parameters=named(with_fields("description")),
            bindings=with_fields("ws", ws=with_fields("method query bindingVersion", bindingVersion={"const": "0.1.0"})),
        )
    ),
    operations=named(
        with_fields(
            "action channel messages", "summary security reply bindings",
            action={"enum": ["send", "receive"]}, channel=REFERENCE, messages=REFERENCES, security=REFERENCES,
            reply=with_fields("channel messages", channel=REFERENCE, messages=REFERENCES),
            bindings=with_fields("http", http=with_fields("method bindingVersion", "query", bindingVersion={"const": "0.3.0"})),
        )
    ),
    components=with_fields(
        "messages schemas securitySchemes",
        messages=named(
            with_fields(
                "name title summary contentType payload examples", "headers",
                payload={"type": "object"}, summary=TEXT,
                examples={"type": "array", "minItems": 1, "items": with_fields("payload", payload={"type": "object"})},
            )
        ),
        schemas=named({"$ref": "https://json-schema.org/draft/2020-12/schema"}),
        securitySchemes=named(
            {
                "oneOf": [
                    with_fields("type scheme description", type={"const": "http"}, scheme={"const": "bearer"}),
                    with_fields(
                        "type where name description", type={"const": "httpApiKey"}, where={"enum": ["cookie", "query"]}
                    ),
                    with_fields("type where description", type={"const": "apiKey"}, where={"const": "password"}),
                ]
            }
        ),
    ),
)  # fmt: skip
"""What AsyncAPI 3.0 asks of the parts that are used here, and no part besides. ``make test-clients`` holds the
document against AsyncAPI's own schema."""


@pytest.fixture(scope="module")
def described() -> Json:
    return document()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def at(document: Json, reference: str) -> Any:
    """What *reference* points to."""
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def sent_on(document: Json, channel: str) -> set[str]:
    """The types of message that the gateway sends on a channel."""
    (operation,) = (
        each
        for each in document["operations"].values()
        if each["action"] == "send" and each["channel"]["$ref"] == f"#/channels/{channel}"
    )
    return {message["$ref"].rpartition("/")[2] for message in operation["messages"]}


# --- the document --------------------------------------------------------------------------------------


def test_the_description_is_well_formed(described: Json) -> None:
    Draft202012Validator(WELL_FORMED).validate(described)


def test_every_reference_leads_somewhere(described: Json) -> None:
    assert all(at(described, reference) for reference in references(described))


def test_an_operation_speaks_of_messages_of_its_channel(described: Json) -> None:
    for operation in described["operations"].values():
        for part in (operation, operation.get("reply", operation)):
            channel = part["channel"]["$ref"]
            assert all(message["$ref"].startswith(f"{channel}/messages/") for message in part["messages"])


def test_every_message_that_either_side_can_send_is_described(described: Json) -> None:
    kinds = {
        kind
        for kind in vars(messages).values()
        if isinstance(kind, type) and issubclass(kind, View) and "type" in kind.model_fields
    }
    assert kinds == {*CLIENT_MESSAGES, *SERVER_MESSAGES}
    words = {get_args(kind.model_fields["type"].annotation)[0] for kind in kinds}
    told = {message["name"] for message in described["components"]["messages"].values()}
    assert told == words | {*EventType, TEST_EVENT}
    operations = described["operations"].values()
    said = {action: {r["$ref"].split("/")[-1] for o in operations if o["action"] == action for r in o["messages"]} for action in ("send", "receive")}  # fmt: skip
    assert said["receive"] == {"auth", "subscribe", "unsubscribe", "ping"}
    assert said["send"] == set(described["components"]["messages"]) - said["receive"]


def test_every_field_has_a_description(described: Json) -> None:
    bare = [
        f"{name}.{field}"
        for name, schema in described["components"]["schemas"].items()
        for field, shape in schema.get("properties", {}).items()
        if not (
            shape.get("description") or ("$ref" in shape and at(described, shape["$ref"]).get("description"))
        )
    ]
    assert bare == []


def test_every_example_is_as_described(described: Json) -> None:
    for name, message in described["components"]["messages"].items():
        for example in message["examples"]:
            as_described(described, example["payload"])
            if name in described["operations"]:
                parse_client_message(json.dumps(example["payload"]))


def test_the_close_codes_are_the_enumeration(described: Json) -> None:
    socket = described["channels"]["socket"]
    assert [each["code"] for each in socket["x-close-codes"]] == [code.value for code in CloseCode]
    assert all(each["meaning"].endswith(".") and each["client"].endswith(".") for each in close_codes())
    assert table(("code", "meaning", "client"), ((str(each["code"]), each["meaning"], each["client"]) for each in close_codes())) in socket["description"]  # fmt: skip


def test_the_numbers_in_the_words_are_the_limits(described: Json) -> None:
    page = " ".join((ROOT / "docs/live.md").read_text(encoding="utf-8").split())
    words = " ".join(str(described["info"]["description"]).split())
    streams = described["channels"]["allStream"]["description"]
    assert f"at most the {LOG_STEPS} newest steps" in page
    assert f"({Realtime().heartbeat:g} unless configured)" in words
    assert f"({Realtime().sse_max_age:g} unless configured)" in streams
    assert "ping frame every 20 seconds" in words
    assert "WebSocket ping every 20 seconds" in page
    assert server.PING_INTERVAL == 20


@pytest.mark.parametrize(
    ("public_url", "root_path", "host", "protocols", "path"),
    [
        ("", "", "{host}", ["ws", "http"], None),
        ("", "/videos", "{host}", ["ws", "http"], "/videos"),
        ("https://example.org/videos", "/videos", "example.org", ["wss", "https"], "/videos"),
    ],
)
def test_the_servers_are_where_people_find_the_gateway(
    public_url: str, root_path: str, host: str, protocols: list[str], path: str | None
) -> None:
    servers = document(public_url, root_path)["servers"].values()
    assert {server["host"] for server in servers} == {host}
    assert [server["protocol"] for server in servers] == protocols
    assert {server.get("pathname") for server in servers} == {path}


def test_the_command_prints_it(described: Json, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["asyncapi"]) == 0
    assert json.loads(capsys.readouterr().out) == described


# --- what is really said -------------------------------------------------------------------------------


def as_described(described: Json, message: Json) -> str:
    """The type of *message*. Raises ValidationError when it is not as its description says, or has a field more."""
    components = copy.deepcopy(described["components"])
    for schema in components["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    payload = components["messages"][message["type"].replace(".", "-")]["payload"]
    Draft202012Validator({**payload, "components": components}).validate(message)
    return str(message["type"])


def test_a_message_that_is_not_as_described_is_noticed(described: Json) -> None:
    for message in (
        {"type": "pong", "more": 1},
        {"type": "ready", "cursor": "0123456789abcdef-1"},
        {"type": "unsubscribed", "topic": 1},
        {"type": "subscribe"},
        {"type": "subscribe", "all": True, "videoId": "video_1"},
    ):
        with pytest.raises(ValidationError):
            as_described(described, message)


async def on_a_socket(ann: Person) -> list[Json]:
    """Everything that a connection is told while a video is made, and asked about in every way."""
    async with ann.live() as live:
        await live.say(type="auth", token=ann.key)
        told = [await live.next()]
        await live.say(type="subscribe", all=True, since="nonsense")
        task = await ann.make()
        told += await live.until("completed")
        for message in (
            {"type": "subscribe", "videoId": task["videoId"], "log": True},
            {"type": "subscribe", "videoId": "video_unknown"},
            {"type": "unsubscribe", "all": True},
            {"type": "ping"},
        ):
            await live.say(**message)
        while told[-1]["type"] != "pong":
            told.append(await live.next())
    return told


async def on_a_stream(ann: Person, path: str) -> list[Json]:
    """The data of a stream that ends, each under its own name."""
    answer = await ann.get(path)
    found = re.findall(r"^event: (.+)\ndata: (.+)$", answer.text, re.MULTILINE)
    told = [json.loads(data) for _, data in found]
    assert [name for name, _ in found] == [message["type"] for message in told]
    return told


async def test_what_a_gateway_says_is_as_it_describes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Json] = []

    def counted(*where: str) -> Json:
        made.append(document(*where))
        return made[-1]

    monkeypatch.setattr(asyncapi, "document", counted)
    async with (
        receiving() as receiver,
        running(settings_for(tmp_path, webhooks={"hosts": [receiver.host]})) as gateway,
        person(gateway) as ann,
    ):
        assert made == [], "nobody has asked yet"
        answers = [await ann.get("/asyncapi.json", headers={"authorization": ""}) for _ in range(2)]
        assert [answer.json() for answer in answers] == made * 2, "it is made once"
        described = answers[0].json()
        made_hook = await ann.http.post("/api/webhooks", json={"url": receiver.url})
        await ann.http.post(f"/api/webhooks/{made_hook.json()['id']}/test")
        socket = await on_a_socket(ann)
        received = await receiver.gets(2)
        video = next(message["videoId"] for message in socket if message["type"] == "update")
        stream = await on_a_stream(ann, f"/api/video/tasks/{video}/stream?since=nonsense&log=true")
    said = {as_described(described, message) for message in socket}
    assert said == sent_on(described, "socket")
    delivered = {as_described(described, request.json) for request in received}
    assert delivered == {TEST_EVENT, EventType.COMPLETED}
    for name in described["components"]["messages"]["webhook-test"]["headers"]["required"]:
        assert all(request.headers[name] for request in received)
    streamed = [as_described(described, message) for message in stream]
    assert streamed == ["reset", "log", "subscribed"]
    assert {*streamed, "update"} == sent_on(described, "videoStream") == sent_on(described, "allStream")
