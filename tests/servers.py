"""A real server for tests: uvicorn in the test's own loop, on a free loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """Says when it is up or has given up, and leaves the signals of the test run alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:
            # Out of a task it would end the whole test run.
            self.should_exit = True
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, **uvicorn_options: Any) -> AsyncIterator[str]:
    """Serves *app* for the length of the block and yields its base URL, without a slash at the end.

    *uvicorn_options* go to :class:`uvicorn.Config`. Connections still open at the end get one second.

    Raises:
        RuntimeError: the application did not start.
    """
    options = {
        "log_config": None,
        "access_log": False,
        "ws": "websockets-sansio",
        "timeout_graceful_shutdown": 1,
    } | uvicorn_options
    server = _Server(uvicorn.Config(app, **options))
    listener = socket.create_server(("127.0.0.1", 0))
    run = asyncio.create_task(server.serve(sockets=[listener]))
    run.add_done_callback(lambda _: server.up.set())
    try:
        await server.up.wait()
        if not server.started:
            raise RuntimeError("The application did not start; its own log says why.")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await run
        listener.close()
