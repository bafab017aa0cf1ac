"""``/asyncapi.json``: the live protocol, made from the models that encode and decode its messages."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from sora_gateway.core.messages import SERVER_MESSAGES, AnyClientMessage
from sora_gateway.core.principal import SESSION_COOKIE
from sora_gateway.core.views import View
from sora_gateway.errors import CloseCode
from sora_gateway.http.asyncapi_examples import examples
from sora_gateway.http.asyncapi_webhooks import webhook_channel, webhook_messages, webhook_operation
from sora_gateway.http.credentials import SECURE_SESSION_COOKIE
from sora_gateway.http.live import ENDPOINTS

Schema = dict[str, Any]

CLIENT_MESSAGES: tuple[type[View], ...] = get_args(AnyClientMessage)
_VIDEO, _ALL = "/api/video/tasks/{id}/stream", "/api/events/stream"
_ON_STREAMS = ("reset", "log", "subscribed", "update")
"""What a server-sent event can be; the rest is a conversation."""
_ANSWERS = {
    "auth": ("ready",),
    "subscribe": ("log", "reset", "subscribed", "error"),
    "unsubscribe": ("unsubscribed",),
    "ping": ("pong",),
}

_INFO = """Changes of videos as they happen, over a WebSocket or as server-sent events: the same messages, from the
same stored events. Webhooks are told when a video has ended.

**Order.** Every `update` is one stored change of one video and carries its whole public state. The updates of one video
come in their order. A reader that is slow may get only the newest of several changes that were progress; a final state
is never left out. `seq` counts a video's changes: of two messages about it the higher one is newer.

**Cursor.** `cursor` names a place in the event log: the log's epoch and a number that counts every event of the
gateway. Who comes back with the last cursor they saw gets what they missed, and nothing twice. Where that cannot be
done a `reset` says why, and the `subscribed` after it is the truth.

**Heartbeat.** On a WebSocket the gateway sends a ping frame every 20 seconds, which every client answers by itself;
`ping` asks for a `pong` that a page can see. On an event stream a comment comes every `realtime.heartbeat` seconds
(15 unless configured). Who hears nothing for three times as long comes back with the cursor.

**Coming back.** After any end that does not forbid it, wait a random time that doubles with every failure in a row.
"""
_SOCKET = """Text frames, each one JSON object with a `type`. A program sends `Authorization: Bearer`, a page of the
gateway its cookie; who can do neither connects with `?ticket=`, or sends `auth` as the first message within ten seconds.
The server greets with `ready`. One connection can follow many topics.

A message that is none of the protocol's closes the connection; one that cannot be served is answered with `error`.
The server closes with these codes; 4000 to 4399: come back, 4400 to 4499: do not.

"""
_STREAM = """`id:` is the cursor, `event:` the message's type, `data:` the message. `Last-Event-ID`, or `?since=` on a first
connection, resumes. The gateway ends a stream after `realtime.sse_max_age` seconds (1800 unless configured): come
back with the last id."""
_TICKET = """A ticket of `POST /api/stream-tickets`: it opens one connection, within a minute."""


def document(public_url: str = "", root_path: str = "") -> Schema:
    """The AsyncAPI 3.0 description of the live protocol, at *public_url*, or at *root_path* of wherever it was found."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "sora-gateway, live",
            "version": version("sora-gateway"),
            "description": _INFO,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": dict(_servers(public_url, root_path)),
        "channels": _channels() | {"webhook": webhook_channel()},
        "operations": dict(_operations()) | {"deliver": webhook_operation()},
        "components": {
            "messages": dict(_messages()) | webhook_messages(),
            "schemas": _schemas(CLIENT_MESSAGES, "validation") | _schemas(SERVER_MESSAGES, "serialization"),
            "securitySchemes": _security_schemes(),
        },
    }


# --- where ---------------------------------------------------------------------------------------------


def _servers(public_url: str, root_path: str) -> Iterator[tuple[str, Schema]]:
    url = urlsplit(public_url)
    secure = "s" if url.scheme == "https" else ""
    for name, protocol in (("websocket", f"ws{secure}"), ("http", f"http{secure}")):
        server: Schema = {"host": url.netloc or "{host}", "protocol": protocol}
        if path := url.path or root_path:
            server["pathname"] = path
        if not url.netloc:
            host = {"default": "127.0.0.1:8000", "description": "Where this description was found."}
            server["variables"] = {"host": host}
        yield name, server


def _channels() -> Schema:
    ticket = {"type": "object", "properties": {"ticket": _query(_ALL)["properties"]["ticket"]}}
    return {
        "socket": {
            "address": "/ws",
            "title": "The WebSocket",
            "description": _SOCKET + _close_table(),
            "servers": [{"$ref": "#/servers/websocket"}],
            "messages": _named(map(_type_of, (*CLIENT_MESSAGES, *SERVER_MESSAGES))),
            "bindings": {"ws": {"method": "GET", "query": ticket, "bindingVersion": "0.1.0"}},
            "x-close-codes": list(close_codes()),
        },
        "videoStream": {
            "address": _VIDEO,
            "title": "One video's event stream",
            "description": f"{_STREAM} It ends after the video's final event; who comes back with that event's cursor is "
            "answered with 204.",
            "servers": [{"$ref": "#/servers/http"}],
            "parameters": {"id": {"description": "The gateway's id of the video, or its upstream's."}},
            "messages": _named(_ON_STREAMS),
        },
        "allStream": {
            "address": _ALL,
            "title": "The event stream of all my videos",
            "description": _STREAM,
            "servers": [{"$ref": "#/servers/http"}],
            "messages": _named(_ON_STREAMS),
        },
    }


def _query(path: str) -> Schema:
    """What the stream at *path* takes in its address."""
    (model,) = (endpoint.query for endpoint in ENDPOINTS if endpoint.template == path)
    assert model is not None
    return _tidy(model.model_json_schema(by_alias=True))


def _named(types: Iterable[str]) -> Schema:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in types}


# --- what happens there --------------------------------------------------------------------------------


def _operations() -> Iterator[tuple[str, Schema]]:
    """From the gateway's side, as AsyncAPI has it: it receives what clients send."""
    for kind in CLIENT_MESSAGES:
        name = _type_of(kind)
        yield (
            name,
            {
                "action": "receive",
                "summary": _summary_of(kind),
                "channel": {"$ref": "#/channels/socket"},
                "messages": _of_channel("socket", [name]),
                "security": _security("ticket", "firstMessage"),
                "reply": {
                    "channel": {"$ref": "#/channels/socket"},
                    "messages": _of_channel("socket", _ANSWERS[name]),
                },
            },
        )
    yield (
        "tell",
        _sending("socket", "What a connection is told.", map(_type_of, SERVER_MESSAGES), "firstMessage"),
    )
    yield "tellOfVideo", _streaming("videoStream", "What the stream of one video tells.", _VIDEO)
    yield "tellOfAll", _streaming("allStream", "What the stream of all my videos tells.", _ALL)


def _sending(channel: str, summary: str, types: Iterable[str], *credentials: str) -> Schema:
    return {
        "action": "send",
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": _of_channel(channel, types),
        "security": _security("ticket", *credentials),
    }


def _streaming(channel: str, summary: str, path: str) -> Schema:
    binding = {"method": "GET", "query": _query(path), "bindingVersion": "0.3.0"}
    return _sending(channel, summary, _ON_STREAMS) | {"bindings": {"http": binding}}


def _of_channel(channel: str, types: Iterable[str]) -> list[Schema]:
    return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in types]


def _security(*more: str) -> list[Schema]:
    """Any one of them."""
    return [{"$ref": f"#/components/securitySchemes/{name}"} for name in ("key", "session", *more)]


def _security_schemes() -> Schema:
    return {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key with the scope `videos:read`, in the Authorization header.",
        },
        "session": {
            "type": "httpApiKey",
            "in": "cookie",
            "name": SESSION_COOKIE,
            "description": f"A browser's session, from the gateway's own pages only; over HTTPS its name is `{SECURE_SESSION_COOKIE}`.",
        },
        "ticket": {"type": "httpApiKey", "in": "query", "name": "ticket", "description": _TICKET},
        "firstMessage": {
            "type": "apiKey",
            "in": "password",
            "description": "An API key in the message `auth`, which then has to be the first one, within ten seconds.",
        },
    }


# --- what is said --------------------------------------------------------------------------------------


def _messages() -> Iterator[tuple[str, Schema]]:
    shown = examples()
    for kind in (*CLIENT_MESSAGES, *SERVER_MESSAGES):
        # What a client may leave out is left out of its example.
        short = kind in CLIENT_MESSAGES
        yield (
            _type_of(kind),
            {
                "name": _type_of(kind),
                "title": kind.__name__,
                "summary": _summary_of(kind),
                "contentType": "application/json",
                "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
                "examples": [
                    {"payload": each.model_dump(mode="json", by_alias=True, exclude_defaults=short)}
                    for each in shown[kind]
                ],
            },
        )


def _type_of(kind: type[View]) -> str:
    """The word in ``type`` by which the message is known on the wire."""
    (word,) = get_args(kind.model_fields["type"].annotation)
    return str(word)


def _summary_of(kind: type[BaseModel]) -> str:
    return inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def _schemas(kinds: Sequence[type[BaseModel]], mode: JsonSchemaMode) -> Schema:
    """The schemas of *kinds* and of what is in them, by name."""
    _, definitions = models_json_schema(
        [(kind, mode) for kind in kinds], by_alias=True, ref_template="#/components/schemas/{model}"
    )
    schemas = {name: _tidy(schema) for name, schema in definitions["$defs"].items()}
    for schema in schemas.values() if mode == "serialization" else ():
        if "properties" in schema:
            schema["required"] = list(
                schema["properties"]
            )  # what is sent is sent whole, null where there is nothing
    return schemas


def _tidy(schema: Schema) -> Schema:
    """Without the titles that only repeat the fields' names, and without the marks of code in the text."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    if "description" in schema:
        schema["description"] = schema["description"].replace("``", "`")
    return schema


# --- how it ends ---------------------------------------------------------------------------------------


def close_codes() -> Iterator[Schema]:
    """Each close code with its meaning and what a client does, as :class:`CloseCode` says it below each member."""
    (made,) = ast.parse(inspect.getsource(CloseCode)).body
    assert isinstance(made, ast.ClassDef)
    for member, comment in zip(made.body, made.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(comment, ast.Expr):
            assert isinstance(member.targets[0], ast.Name)
            meaning, _, client = str(ast.literal_eval(comment.value)).partition(". ")
            name = member.targets[0].id
            yield {
                "code": CloseCode[name].value,
                "name": name.lower(),
                "meaning": f"{meaning}.",
                "client": client,
            }


def _close_table() -> str:
    rows = [f"| {each['code']} | {each['meaning']} | {each['client']} |" for each in close_codes()]
    return "\n".join(["| code | meaning | client |", "| --- | --- | --- |", *rows])
