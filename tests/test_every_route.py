"""What holds for every route because the route table says so: a new route is in these tests by itself."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from sora_gateway.http.routing import Endpoint
from sora_gateway.http.system import System
from sora_gateway.http.table import table
from sora_gateway.store import Store
from sora_gateway.store.writer import Transaction
from tests.matrix import MATRIX, Thing
from tests.team import Team, ask, client, team

ENDPOINTS = {f"{each.method} {each.template}": each for each in table(System(0.0, list))}
WITH_BODY = sorted(route for route, each in ENDPOINTS.items() if each.request or each.form)

NOTED = {"sessions": {"seen_at"}, "api_keys": {"last_used_at"}}
"""Columns that the use of a credential moves, whatever it is used for."""

SMUGGLED: dict[str, Any] = {
    "userId": "user_ann",
    "user_id": "user_ann",
    "owner": "user_ann",
    "credits": 1_000_000,
    "available": 1_000_000,
    "balance": 1_000_000,
    "price": 0,
    "status": "completed",
    "state": "completed",
    "tenant": "other",
    "isAdmin": True,
    "is_admin": True,
    "disabledAt": None,
    "passwordHash": "x",
    "createdAt": 0,
    "__proto__": {"admin": True},
}
"""Fields that a careless program would copy from a body into a row."""


# --- GET changes nothing -----------------------------------------------------------------------------


def _everything(tx: Transaction) -> dict[str, str]:
    """A digest of each table's rows, without what the use of a credential moves, and without the trace that is meant
    to stay: an administrator looked at somebody's private video."""
    tables = [row["name"] for row in tx.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    where = {"audit": " WHERE action <> 'job.look'", "sqlite_sequence": " WHERE name <> 'audit'"}
    return {
        name: _digest(tx.execute(f"SELECT * FROM {name}{where.get(name, '')}"), NOTED.get(name, set()))
        for name in tables
    }


def _digest(rows: sqlite3.Cursor, without: set[str]) -> str:
    kept = sorted(
        repr([(key, row[key]) for key in row.keys() if key not in without])  # noqa: SIM118 - a Row iterates values
        for row in rows
    )
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()


async def everything(store: Store) -> dict[str, str]:
    return await store.run(_everything)


async def test_get_and_head_change_nothing_whoever_asks(tmp_path: Path) -> None:
    async with team(tmp_path) as all, client(all.gateway) as stranger:
        video: str = (await all.video("done"))["videoId"]
        ids = await _ids(all, video)
        before = await everything(all.gateway.store)
        routes = [route for route in MATRIX if route.startswith("GET ") and "stream" not in route]
        assert len(routes) > 20
        for route in routes:
            for http in (all.ann.http, all.bob.http, all.vic.http, all.root.http, stranger):
                # A sign-in at a provider begins with a GET that other sites may cause too: it must store nothing.
                await ask(http, route, ids.get(MATRIX[route].thing, video))
                path = route.split(" ")[1]
                if "{" not in path:
                    await http.head(path)
        assert await everything(all.gateway.store) == before
        await ask(all.ann.http, "POST /api/keys")
        assert await everything(all.gateway.store) != before, "a change is seen"


async def _ids(all: Team, video: str) -> dict[Thing | None, str]:
    image = (await ask(all.ann.http, "POST /api/references")).json()["id"]
    character = (await ask(all.ann.http, "POST /v1/videos/characters")).json()["id"]
    return {Thing.IMAGE: image, Thing.CHARACTER: character}


# --- nothing is assigned that was not asked for ------------------------------------------------------


def test_every_route_with_a_body_is_tried() -> None:
    assert len(WITH_BODY) > 15
    assert set(WITH_BODY) <= set(MATRIX)
    unsafe = {route for route in ENDPOINTS if route.split(" ")[0] not in ("GET", "DELETE")}
    assert unsafe - set(WITH_BODY) <= {
        # They take no body: whatever is sent is not read.
        route
        for route, row in MATRIX.items()
        if row.body is None and row.form is None
    }


def _names(endpoint: Endpoint) -> set[str]:
    """What the endpoint's own body may have, by either name."""
    models = [model for model in (endpoint.request, endpoint.form) if model is not None]
    return {
        name
        for model in models
        for field, info in model.model_fields.items()
        for name in (field, info.alias or field)
    }


async def test_a_field_that_is_not_the_routes_own_is_refused_by_name_and_nothing_is_done(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as all:
        video = (await all.video("done"))["videoId"]
        before, orders = await everything(all.gateway.store), len(all.lab.orders)
        for route in WITH_BODY:
            endpoint, row = ENDPOINTS[route], MATRIX[route]
            method, path = route.split(" ")
            path = path.replace("{id}", row.name or video).replace("{name}", row.name)
            for field, value in SMUGGLED.items():
                if field in _names(endpoint):
                    continue
                if endpoint.request is not None:
                    body = json.loads(json.dumps(row.body or {}).replace("{id}", video))
                    answer = await all.root.http.request(method, path, json=body | {field: value})
                else:
                    fields = {**(row.form or {}), field: "1"}
                    files = {
                        name: (None if isinstance(each, str) else name, each) for name, each in fields.items()
                    }
                    answer = await all.root.http.request(method, path, files=files)
                assert answer.status_code in (400, 422), (route, field, answer.text)
                assert answer.json()["error"]["param"] == field, (route, field)
        assert await everything(all.gateway.store) == before
        assert len(all.lab.orders) == orders
