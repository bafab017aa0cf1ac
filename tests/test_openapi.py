"""The description of the whole API: valid, and true of the route table that runs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from jsonschema import ValidationError
from openapi_spec_validator import validate
from starlette.routing import Match, Route

from sora_gateway.core.principal import SESSION_COOKIE
from sora_gateway.http.credentials import SECURE_SESSION_COOKIE
from sora_gateway.http.openapi import document
from sora_gateway.http.request_body import JSON, MULTIPART, URLENCODED
from sora_gateway.http.routing import Endpoint
from sora_gateway.http.system import System
from sora_gateway.http.table import table
from tests.described import as_described

VIDEO = {
    "id": "video_1", "object": "video", "model": "sora-2", "status": "queued", "progress": 0, "created_at": 1,
    "completed_at": None, "expires_at": None, "prompt": "a boat", "size": "720x1280", "seconds": "4",
    "remixed_from_video_id": None, "error": None,
}  # fmt: skip


@pytest.fixture
def endpoints() -> list[Endpoint]:
    return table(System(0.0, list))


@pytest.fixture
def description(endpoints: list[Endpoint]) -> dict[str, Any]:
    return document(endpoints)


def test_the_description_of_the_whole_table_is_valid(description: dict[str, Any]) -> None:
    validate(description)


def test_every_route_is_described(description: dict[str, Any], endpoints: list[Endpoint]) -> None:
    described = {
        f"{method.upper()} {path}" for path, methods in description["paths"].items() for method in methods
    }
    assert described == {f"{endpoint.method} {endpoint.template}" for endpoint in endpoints}


NOT_AS_DESCRIBED: dict[str, httpx.Response] = {
    "a field is missing": httpx.Response(200, json={"id": "video_1"}),
    "a field is of another type": httpx.Response(200, json=VIDEO | {"progress": "10"}),
    "a field is not described": httpx.Response(200, json=VIDEO | {"owner": "user_1"}),
    "a status is not described": httpx.Response(201, json=VIDEO),
    "a media type is not described": httpx.Response(200, text="hello"),
    "an error of another shape": httpx.Response(404, json={"detail": "Not Found"}),
}


@pytest.mark.parametrize("case", NOT_AS_DESCRIBED)
async def test_an_answer_that_is_not_as_described_is_noticed(case: str) -> None:
    """Every test over a real gateway looks at every answer in this way (``tests/running.py``)."""
    request = httpx.Request("GET", "http://gateway.test/v1/videos/video_1")
    good, bad = httpx.Response(200, json=VIDEO), NOT_AS_DESCRIBED[case]
    good.request = bad.request = request
    await as_described(good)
    with pytest.raises((AssertionError, ValidationError)):
        await as_described(bad)


CREATES = {"/v1/videos": "input_reference", "/api/video/tasks": "inputReference"}


@pytest.mark.parametrize("path", CREATES)
def test_json_and_forms_are_described_apart(path: str, description: dict[str, Any]) -> None:
    content = description["paths"][path]["post"]["requestBody"]["content"]
    json, form, small_form = (
        schema
        if "$ref" not in schema
        else description["components"]["schemas"][schema["$ref"].split("/")[-1]]
        for schema in (content[kind]["schema"] for kind in (JSON, MULTIPART, URLENCODED))
    )
    field = CREATES[path]
    image = json["properties"][field]
    assert [sorted(choice) for choice in image["anyOf"]] == [["$ref"], ["type"]]
    assert image["anyOf"][1] == {"type": "null"}
    # A form is flat: an object's fields have names of their own, nothing is null, and a file is bytes.
    assert form["properties"][field] == {"type": "string", "format": "binary"}
    object_fields = {name for name in form["properties"] if name.startswith(f"{field}[")}
    assert len(object_fields) == 2
    assert "null" not in str(form)
    assert set(form["properties"]) - set(small_form["properties"]) == {field}
    assert form["required"] == small_form["required"] == ["prompt"]
    # In the place of a prompt our own API takes a template.
    assert json.get("required") == (["prompt"] if path == "/v1/videos" else None)
    assert {json["additionalProperties"], form["additionalProperties"]} == {False}


def test_a_list_of_objects_is_described_as_fields_that_repeat(description: dict[str, Any]) -> None:
    fields = description["components"]["schemas"]["CreateVideoForm"]["properties"]
    assert (fields["characters[][id]"]["type"], fields["characters[][id]"]["maxItems"]) == ("array", 2)
    assert fields["characters[][id]"]["items"]["type"] == "string"


def test_a_form_that_takes_a_file_or_an_id_needs_neither_by_name(description: dict[str, Any]) -> None:
    form = description["components"]["schemas"]["EditVideoForm"]
    assert (set(form["properties"]), form["required"]) == ({"prompt", "video", "video[id]"}, ["prompt"])


def test_a_form_that_needs_a_file_has_one_encoding(description: dict[str, Any]) -> None:
    content = description["paths"]["/v1/videos/characters"]["post"]["requestBody"]["content"]
    assert list(content) == [MULTIPART]


def test_an_upload_can_find_the_disk_full(endpoints: list[Endpoint], description: dict[str, Any]) -> None:
    uploading = [endpoint for endpoint in endpoints if endpoint.uploads]
    assert uploading
    for endpoint in uploading:
        assert "507" in description["paths"][endpoint.path]["post"]["responses"]


def test_every_operation_has_a_name_of_its_own(endpoints: list[Endpoint]) -> None:
    names = Counter(endpoint.handler.__name__ for endpoint in endpoints)
    assert [name for name, count in names.items() if count > 1] == []


def test_every_answer_has_a_shape_or_a_media_type(endpoints: list[Endpoint]) -> None:
    bare = [
        f"{endpoint.method} {endpoint.path}"
        for endpoint in endpoints
        if endpoint.response is None and endpoint.produces == ("application/json",) and endpoint.status != 204
    ]
    assert bare == ["GET /openapi.json", "GET /asyncapi.json"]


def test_a_browser_and_a_program_find_their_credential(description: dict[str, Any]) -> None:
    schemes = description["components"]["securitySchemes"]
    session = schemes["session"]
    assert (session["type"], session["in"], session["name"]) == ("apiKey", "cookie", SESSION_COOKIE)
    assert f"`{SECURE_SESSION_COOKIE}`" in session["description"]
    assert schemes["key"]["scheme"] == "bearer"


def test_no_literal_path_is_hidden_by_a_pattern_before_it(endpoints: list[Endpoint]) -> None:
    for index, endpoint in enumerate(endpoints):
        scope = {"type": "http", "method": endpoint.method, "path": endpoint.path, "root_path": ""}
        earlier = [e for e in endpoints[:index] if e.path != endpoint.path]
        hiding = [
            e.path
            for e in earlier
            if Route(e.path, lambda: None, methods=[e.method]).matches(scope)[0] is Match.FULL
        ]
        assert hiding == []
