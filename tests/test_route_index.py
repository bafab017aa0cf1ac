"""A request goes where it would go if every route were asked in the order of the table."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match, Route, WebSocketRoute
from starlette.types import Scope

from sora_gateway.http.route_index import RouteIndex, beginning_of
from sora_gateway.http.system import System
from sora_gateway.http.table import table


async def nothing(*_: object) -> None: ...


def all_routes() -> list[Route | WebSocketRoute]:
    methods: dict[str, list[str]] = {}
    for endpoint in table(System(0.0, list)):
        methods.setdefault(endpoint.path, []).append(endpoint.method)
    return [
        *(Route(path, nothing, methods=each) for path, each in methods.items()),
        WebSocketRoute("/ws", nothing),
    ]


ROUTES = all_routes()
INDEX = RouteIndex(ROUTES)
WORDS = sorted({word for route in ROUTES for word in route.path.split("/") if "{" not in word})


def asked_in_order(scope: Scope) -> tuple[Match, Scope]:
    matches = [(route, *route.matches(scope)) for route in ROUTES]
    for wanted in (Match.FULL, Match.PARTIAL):
        for route, match, child in matches:
            if match is wanted:
                return match, {**child, "route": route}
    return Match.NONE, {}


def scope_of(kind: str, method: str, path: str, root: str = "") -> Scope:
    return {"type": kind, "method": method, "path": root + path, "root_path": root}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_route_is_found(route: Route | WebSocketRoute) -> None:
    path = re.sub(r"\{[^}]*:path\}", "a/b", route.path)
    path = re.sub(r"\{[^}]*\}", "1", path)
    for method in ("GET", "POST", "DELETE", "BREW"):
        for kind in ("http", "websocket"):
            for root in ("", "/videos"):
                scope = scope_of(kind, method, path, root)
                assert INDEX.matches(scope) == asked_in_order(scope)


@given(
    st.lists(st.sampled_from([*WORDS, "", "video_1"]) | st.text(max_size=4), max_size=6),
    st.sampled_from(["", "/v1", "/api"]),
)
def test_so_is_what_no_route_takes(segments: list[str], root: str) -> None:
    scope = scope_of("http", "GET", "/" + "/".join(segments), root)
    assert INDEX.matches(scope) == asked_in_order(scope)


def test_few_are_asked() -> None:
    assert beginning_of("/api/video/tasks/{id}/retry") == ("api", "video", "tasks")
    assert beginning_of("/share/{token}") == ("share",)
    assert beginning_of("/{anything:path}") == ()
    most = max(len(each) for each in INDEX._by_beginning.values())
    assert most < len(ROUTES) / 4
