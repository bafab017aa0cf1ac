"""The route table: who is let in, what reaches the handler, what is refused on the way, what is described."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.requests import HTTPConnection
from starlette.responses import Response

from sora_gateway.core.principal import Principal
from sora_gateway.core.views import View
from sora_gateway.errors import Conflict, InvalidApiKey, NotFinished
from sora_gateway.http.arrival import Spool
from sora_gateway.http.routing import Access, Call, Endpoint, routes
from sora_gateway.http.services import Phase
from sora_gateway.http.system import System
from tests.http_calls import StillClock, application, client_of, role_is_the_key, services


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=1, description="What to show.")
    seconds: int = 8
    parts: list[int] = []

    @field_validator("prompt")
    @classmethod
    def _no_shouting(cls, prompt: str) -> str:
        if prompt.isupper():
            raise ValueError("Please do not shout.")
        return prompt


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=100)


class Made(View):
    video_id: str
    model_name: str = "sora-2"
    made_by: str | None = None


async def create_thing(call: Call) -> Made:
    """Makes a thing."""
    return Made(video_id=f"{call.body.prompt}/{call.body.seconds}", made_by=call.caller.user_id)


async def list_things(call: Call) -> Made:
    return Made(video_id=str(call.query.limit))


async def get_thing(call: Call) -> Made:
    return Made(video_id=call.path["id"])


async def delete_thing(call: Call) -> Response:
    return Response(status_code=204)


async def look_at_thing(call: Call) -> Made:
    return Made(video_id="anyone", made_by=call.principal.user_id if call.principal else None)


async def count_people(call: Call) -> Made:
    return Made(video_id="12")


ENDPOINTS = [
    Endpoint(method="POST", path="/things", handler=create_thing, summary="Make.", access=Access.MEMBER, tag="things",
             request=Wanted, form=Wanted, response=Made, status=202, errors=(Conflict,)),
    Endpoint(method="GET", path="/things", handler=list_things, summary="List.", access=Access.VIEWER, tag="things",
             query=Wish, response=Made),
    Endpoint(method="GET", path="/things/{id}", handler=get_thing, summary="Get.", access=Access.VIEWER, tag="things",
             response=Made),
    Endpoint(method="DELETE", path="/things/{id}", handler=delete_thing, summary="Delete.", access=Access.MEMBER,
             tag="things", status=204, errors=(NotFinished, Conflict)),
    Endpoint(method="GET", path="/things/{id}/content", handler=look_at_thing, summary="Look.", access=Access.OPTIONAL,
             tag="things", response=Made),
    Endpoint(method="GET", path="/people", handler=count_people, summary="Count.", access=Access.ADMIN, tag="people",
             response=Made),
]  # fmt: skip


def gateway(**options: Any) -> Any:
    table: list[Endpoint] = []
    table += [*ENDPOINTS, *System(0.0, lambda: table).endpoints()]
    return application(table, **options)


async def post(body: str | bytes, content_type: str = "application/json", **more: str) -> Any:
    headers = {
        "content-type": content_type,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    async with client_of(gateway(), authorization="Bearer member") as client:
        return await client.post("/things", content=body, headers=headers)


# --- what reaches the handler --------------------------------------------------------------------------


async def test_a_body_reaches_the_handler_as_a_model_and_the_answer_is_camel_case() -> None:
    answer = await post('{"prompt": "a cat", "seconds": 4}')
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"videoId": "a cat/4", "modelName": "sora-2", "madeBy": "user_member"}


async def test_the_same_fields_may_come_as_a_form() -> None:
    async with client_of(gateway(), authorization="Bearer member") as client:
        plain = await client.post("/things", data={"prompt": "a cat", "seconds": "4"})
        multipart = await client.post("/things", files={"prompt": (None, "a cat")})
    assert (plain.json()["videoId"], multipart.json()["videoId"]) == ("a cat/4", "a cat/8")


async def test_query_and_path_reach_the_handler() -> None:
    async with client_of(gateway(), authorization="Bearer viewer") as client:
        assert (await client.get("/things?limit=7")).json()["videoId"] == "7"
        assert (await client.get("/things/video_1")).json()["videoId"] == "video_1"


async def test_head_is_answered_like_get() -> None:
    async with client_of(gateway(), authorization="Bearer viewer") as client:
        assert (await client.head("/things/video_1")).status_code == 200


# --- who is let in -------------------------------------------------------------------------------------

ROLES = {
    ("POST", "/things"): {"nobody": 401, "viewer": 403, "member": 202, "admin": 202, "stranger": 401},
    ("GET", "/things"): {"nobody": 401, "viewer": 200, "member": 200, "admin": 200, "stranger": 401},
    ("GET", "/people"): {"nobody": 401, "viewer": 404, "member": 404, "admin": 200, "stranger": 401},
    ("GET", "/things/1/content"): {"nobody": 200, "viewer": 200, "member": 200, "admin": 200, "stranger": 200},
    ("GET", "/health"): {"nobody": 200, "viewer": 200, "member": 200, "admin": 200, "stranger": 200},
}  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ROLES)
async def test_each_endpoint_lets_in_who_it_is_for(method: str, path: str) -> None:
    for role, status in ROLES[method, path].items():
        headers = {} if role == "nobody" else {"authorization": f"Bearer {role}"}
        async with client_of(gateway(), **headers) as client:
            answer = await client.request(method, path, json={"prompt": "x"} if method == "POST" else None)
        assert (role, answer.status_code) == (role, status)


async def test_nothing_of_a_request_is_read_before_its_sender_is_let_in() -> None:
    async with client_of(gateway(), authorization="Bearer viewer") as client:
        answer = await client.post("/things", content=b"{", headers={"content-type": "application/json"})
    assert answer.json()["error"]["code"] == "forbidden"


async def test_a_key_that_is_revoked_while_its_request_arrives_is_not_let_in() -> None:
    revoked = False

    async def revocable(connection: HTTPConnection) -> Principal | None:
        if revoked:
            raise InvalidApiKey("The key is not valid (any more).")
        return await role_is_the_key(connection)

    async def body() -> AsyncIterator[bytes]:
        nonlocal revoked
        yield b'{"prompt": '
        revoked = True
        yield b'"a cat"}'

    parts = replace(services(), authenticate=revocable)
    async with client_of(gateway(parts=parts), authorization="Bearer member") as client:
        answer = await client.post("/things", content=body(), headers={"content-type": "application/json"})
    assert (answer.status_code, revoked) == (401, True)


async def test_a_401_says_how_to_sign_in() -> None:
    async with client_of(gateway()) as client:
        answer = await client.get("/things")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["message"] == "Sign in, or send an API key as Authorization: Bearer."


async def test_while_stopping_nothing_new_is_taken_and_looking_goes_on() -> None:
    parts = services()
    parts.readiness.phase = Phase.STOPPING
    async with client_of(gateway(parts=parts), authorization="Bearer member") as client:
        refused = await client.post("/things", json={"prompt": "x"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        assert (await client.get("/things")).status_code == 200


# --- what is refused on the way ------------------------------------------------------------------------

BAD_BODIES: dict[str, tuple[str | bytes, str | None, str]] = {
    "not JSON": ("{", None, "The body is not valid JSON."),
    "nothing": ("", None, "The body is not valid JSON."),
    "not UTF-8": (b"\xff\xfe", None, "The body is not valid JSON."),
    "a number that is too long": ('{"seconds": ' + "1" * 5000 + "}", None, "The body is not valid JSON."),
    "a list": ("[]", None, "The body must be a JSON object."),
    "NaN": ('{"prompt": "a", "seconds": NaN}', None, "NaN is not a JSON value."),
    "infinity": ('{"prompt": "a", "seconds": -Infinity}', None, "-Infinity is not a JSON value."),
    "a number that is too large": ('{"prompt": "a", "seconds": 1e999}', None, "The body has a number that is too large."),
    "half a surrogate pair": ('{"prompt": "\\ud800"}', None, "The body has text that is not valid Unicode."),
    "depth 100": ('{"parts": ' + "[" * 100 + "]" * 100 + "}", None, "The body is nested deeper than 32 levels."),
    "depth 60,000": ("[" * 60_000, None, "The body is not valid JSON."),
    "a name twice": ('{"prompt": "a", "prompt": "b"}', "prompt", "The field 'prompt' is given twice."),
    "no prompt": ("{}", "prompt", "The field 'prompt' is missing."),
    "an unknown field": ('{"prompt": "a", "credits": 1}', "credits", "There is no field 'credits' here."),
    "a wrong type": ('{"prompt": 1}', "prompt", "The field 'prompt' must be text."),
    "a wrong item": ('{"prompt": "a", "parts": [1, "x"]}', "parts[1]", "The field 'parts[1]' must be a whole number."),
    "our own rule": ('{"prompt": "CAT"}', "prompt", "The field 'prompt' is not valid: please do not shout."),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_BODIES)
async def test_a_bad_body_gets_one_sentence_and_the_name_of_the_field(case: str) -> None:
    body, param, sentence = BAD_BODIES[case]
    answer = await post(body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid_request")
    assert (error["param"], error["message"]) == (param, sentence)


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/xml", "application/jsonx"])
async def test_a_body_that_does_not_say_it_is_json_is_refused(content_type: str) -> None:
    answer = await post('{"prompt": "a cat"}', content_type)
    assert answer.status_code == 415


async def test_a_compressed_body_is_refused() -> None:
    assert (await post(b"\x1f\x8b", content_encoding="gzip")).status_code == 415


async def test_a_charset_beside_the_content_type_is_fine() -> None:
    assert (await post('{"prompt": "a"}', "application/json; charset=utf-8")).status_code == 202


async def test_a_form_with_a_file_or_a_name_twice_is_refused_by_name() -> None:
    async with client_of(gateway(), authorization="Bearer member") as client:
        file = await client.post("/things", files={"prompt": ("a.txt", b"a cat")})
        twice = await client.post("/things", data={"prompt": ["a", "b"]})
        broken = await client.post("/things", content=b"x", headers={"content-type": "multipart/form-data"})
        many = await client.post("/things", data={f"field{n}": "x" for n in range(100)})
    assert [answer.status_code for answer in (file, twice, broken, many)] == [400, 400, 400, 400]
    assert file.json()["error"]["param"] == twice.json()["error"]["param"] == "prompt"


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=x", "limit"), ("limit=1&limit=2", "limit"), ("page=2", "page")],
)
async def test_a_bad_query_is_refused_by_name(query: str, param: str) -> None:
    async with client_of(gateway(), authorization="Bearer viewer") as client:
        answer = await client.get(f"/things?{query}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_an_unknown_path_is_404_and_a_wrong_method_405_in_the_same_envelope() -> None:
    async with client_of(gateway()) as client:
        unknown = await client.post("/nothing")
        slash = await client.get("/health/")
        wrong = await client.put("/things")
    assert [answer.json()["error"]["code"] for answer in (unknown, slash, wrong)] == [
        "not_found",
        "not_found",
        "method_not_allowed",
    ]
    assert set(wrong.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_the_same_method_of_a_path_cannot_be_there_twice() -> None:
    with pytest.raises(AssertionError, match="is there twice"):
        routes([ENDPOINTS[0], ENDPOINTS[0]], services(), Spool())


# --- the process itself, and the description -----------------------------------------------------------


async def test_health_answers_while_ready_refuses_during_start_and_stop() -> None:
    parts = services(StillClock(12.5))
    async with client_of(gateway(parts=parts)) as client:
        for phase, status in ((Phase.STARTING, 503), (Phase.SERVING, 200), (Phase.STOPPING, 503)):
            parts.readiness.phase = phase
            assert (await client.get("/ready")).status_code == status
            health = await client.get("/health")
            assert health.json() == {"status": "ok", "phase": phase.value, "uptime": 12.5}


async def test_a_gateway_that_can_store_nothing_is_alive_and_not_ready() -> None:
    parts = services()
    parts.store.full = True  # type: ignore[attr-defined]  # a store of the tests
    async with client_of(gateway(parts=parts)) as client:
        assert (await client.get("/health")).status_code == 200
        answer = await client.get("/ready")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


async def test_the_description_is_valid_openapi_and_says_what_the_table_says() -> None:
    async with client_of(gateway()) as client:
        description = (await client.get("/openapi.json")).json()
    validate(description)
    create = description["paths"]["/things"]["post"]
    assert create["operationId"] == "create_thing"
    assert create["description"] == "Makes a thing."
    assert set(create["requestBody"]["content"]) >= {"application/json", "multipart/form-data"}
    statuses = {"202", "400", "401", "403", "409", "413", "415", "429", "503", "default"}
    assert set(create["responses"]) == statuses
    delete = description["paths"]["/things/{id}"]["delete"]
    assert delete["responses"]["409"]["description"] == "Error: `not_finished`, `conflict`."
    assert delete["parameters"][0]["name"] == "id"
    assert "security" not in description["paths"]["/health"]["get"]
    assert description["paths"]["/things"]["get"]["parameters"][0]["schema"]["maximum"] == 100
    assert "videoId" in json.dumps(description["components"]["schemas"]["Made"])
