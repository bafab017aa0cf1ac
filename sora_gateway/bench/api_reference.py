"""The reference of ``bench api``: a bare Starlette application on the same uvicorn and the same event loop.

``python -m sora_gateway.bench.api_reference DIRECTORY JOBS`` reads a line of JSON from stdin: the key that it lets in, and the
object that it has instead of jobs. It looks a key up in a dict, and its jobs, too. A create is one row that is inserted by plain
``sqlite3`` on the event loop, and synced. There is nothing else: no person, limit, right, price, description, or log.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sora_gateway.bench.api_gateway import until_stdin_ends
from sora_gateway.bench.store import run_on_our_loop
from sora_gateway.serving import settle_collector

Handler = Callable[[Request], Awaitable[Response]]
_SCHEMA = "CREATE TABLE jobs (id TEXT PRIMARY KEY, owner TEXT, prompt TEXT, model TEXT, seconds INTEGER, size TEXT, created_at FLOAT)"
_NOT_FOUND = {"error": {"code": "not_found"}}


class Bare:
    """*task* is what every job looks like."""

    def __init__(self, directory: Path, key: str, task: dict[str, Any], jobs: int) -> None:
        self._people = {key: "somebody"}
        self._jobs = {f"job-{number}": task | {"videoId": f"job-{number}"} for number in range(jobs)}
        self._database = sqlite3.connect(directory / "bare.db", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(_SCHEMA)
        self._number = jobs

    def _who(self, request: Request) -> str | None:
        return self._people.get(request.headers.get("authorization", "").removeprefix("Bearer "))

    async def one(self, request: Request) -> Response:
        job = self._jobs.get(request.path_params["id"])
        if self._who(request) is None or job is None:
            return JSONResponse(_NOT_FOUND, 404)
        return JSONResponse(job)

    async def some(self, request: Request) -> Response:
        if self._who(request) is None:
            return JSONResponse(_NOT_FOUND, 404)
        limit = int(request.query_params["limit"])
        return JSONResponse({"tasks": list(self._jobs.values())[-limit:], "after": None})

    async def create(self, request: Request) -> Response:
        owner, wish = self._who(request), await request.json()
        if owner is None:
            return JSONResponse(_NOT_FOUND, 404)
        self._number += 1
        row = (
            f"job-{self._number}",
            owner,
            wish["prompt"],
            "sora-2",
            wish["seconds"],
            wish["size"],
            time.time(),
        )
        self._database.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return JSONResponse(self._jobs["job-0"] | {"videoId": row[0], "prompt": wish["prompt"]}, 202)

    def close(self) -> None:
        self._database.close()


def application(one: Handler, some: Handler, create: Handler) -> Starlette:
    return Starlette(
        routes=[Route("/tasks", some), Route("/tasks", create, methods=["POST"]), Route("/tasks/{id}", one)]
    )


async def given() -> Mapping[str, Any]:
    """What the benchmark says first: ``key`` and ``task``."""
    told: Mapping[str, Any] = json.loads(await asyncio.to_thread(sys.stdin.buffer.readline))
    return told


async def served(app: Starlette) -> None:
    """Says where it is, and serves until stdin ends."""
    config = uvicorn.Config(
        app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False, log_level="error"
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    settle_collector()  # as ours, so that this is no difference
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await until_stdin_ends()
    server.should_exit = True
    await serving


async def _serve(directory: Path, jobs: int) -> None:
    told = await given()
    bare = Bare(directory, told["key"], told["task"], jobs)
    await served(application(bare.one, bare.some, bare.create))
    bare.close()


if __name__ == "__main__":
    run_on_our_loop(_serve(Path(sys.argv[1]), int(sys.argv[2])))
