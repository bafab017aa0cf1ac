"""The description of the whole API: valid, and true of the route table that runs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from openapi_spec_validator import validate
from starlette.routing import Match, Route

from sora_gateway.core.principal import SESSION_COOKIE
from sora_gateway.http.openapi import document
from sora_gateway.http.routing import Endpoint
from sora_gateway.http.system import System
from sora_gateway.http.table import table


@pytest.fixture
def endpoints() -> list[Endpoint]:
    return table(System(0.0, "0.0.0", list))


@pytest.fixture
def description(endpoints: list[Endpoint]) -> dict[str, Any]:
    return document(endpoints, "0.0.0")


def test_the_description_of_the_whole_table_is_valid(description: dict[str, Any]) -> None:
    validate(description)


def test_every_operation_has_a_name_of_its_own(endpoints: list[Endpoint]) -> None:
    names = Counter(endpoint.handler.__name__ for endpoint in endpoints)
    assert [name for name, count in names.items() if count > 1] == []


def test_every_answer_has_a_shape_or_a_media_type(endpoints: list[Endpoint]) -> None:
    bare = [
        f"{endpoint.method} {endpoint.path}"
        for endpoint in endpoints
        if endpoint.response is None and endpoint.produces == ("application/json",) and endpoint.status != 204
    ]
    assert bare in ([], ["GET /openapi.json"])


def test_a_browser_and_a_program_find_their_credential(description: dict[str, Any]) -> None:
    schemes = description["components"]["securitySchemes"]
    assert schemes["session"] == {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE}
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
