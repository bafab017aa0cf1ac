"""A gateway over HTTP: one request and one answer, a stream of events, a file."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from sora_gateway.client.failures import Unreachable, answered

PATIENCE = 30.0
"""Seconds without a byte after which a request is given up."""
MAX_EVENT = 64 << 20
"""Bytes of one event: a snapshot of a hundred videos with long prompts has a few."""


class Http:
    """*base* is the gateway's address; *key* an API key or session token, which may be replaced by a new one."""

    def __init__(self, base: str, key: str) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{base} is not the address of a gateway; it looks like http://127.0.0.1:8000.")
        self.base = base.rstrip("/") + "/"
        self.key = key
        # Without the surroundings' proxies and logins. Reading the list of authorities takes long, and plain HTTP needs none.
        self._client = httpx.AsyncClient(
            base_url=self.base, trust_env=False, timeout=PATIENCE, verify=parts.scheme == "https"
        )

    @property
    def socket_address(self) -> str:
        return f"ws{self.base.removeprefix('http')}ws"

    @property
    def authorization(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def aclose(self) -> None:
        await self._client.aclose()

    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **body: Any
    ) -> Any:
        """The decoded JSON answer, None for none. *path* is relative to the gateway; *body* is httpx's.

        Raises:
            Answered: the gateway answered with an error.
            Unreachable: it did not answer.
        """
        with _broken_is_unreachable():
            answer = await self._client.request(
                method, path, headers={**(headers or {}), **self.authorization}, **body
            )
        if answer.status_code >= 300:
            raise answered(answer.status_code, answer.headers, answer.content)
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise Unreachable("it answers with something that is not JSON") from None

    async def events(
        self, path: str, cursor: str | None, heard: Callable[[], None]
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """The events of a stream after *cursor*, until it ends. *heard* is called whenever something arrives.

        Raises:
            Answered, Unreachable: as of :meth:`request`.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": cursor} if cursor else {})
        async with self._opened(path, headers, timeout=None) as answer:
            kind = answer.headers.get("content-type", "")
            if answer.status_code != 204 and not kind.startswith("text/event-stream"):
                raise answered(answer.status_code, {}, b"")
            data: list[str] = []
            size = 0
            async for line in _lines(answer.aiter_bytes(), heard):
                field, _, value = line.partition(":")
                size = 0 if line == "" else size + len(line)
                if size > MAX_EVENT:
                    raise Unreachable("it sends an event without end")
                if line == "":
                    if data:
                        yield json.loads("\n".join(data))
                    data = []
                elif field == "data":
                    data.append(value.removeprefix(" "))

    async def download(self, path: str, target: Path) -> None:
        """Saves a file as *target*: complete, or not at all.

        Raises:
            Answered, Unreachable: as of :meth:`request`.
            OSError: the file cannot be written.
        """
        async with self._opened(path, {"Accept-Encoding": "identity"}, PATIENCE) as answer:
            with _Part(target) as part:
                with _broken_is_unreachable():
                    async for piece in answer.aiter_bytes():
                        part.write(piece)
                part.keep()

    @asynccontextmanager
    async def _opened(
        self, path: str, headers: Mapping[str, str], timeout: float | None
    ) -> AsyncIterator[httpx.Response]:
        with _broken_is_unreachable():
            request = self._client.build_request(
                "GET", path, headers={**headers, **self.authorization}, timeout=timeout
            )
            answer = await self._client.send(request, stream=True)
            try:
                if answer.status_code >= 300:
                    raise answered(answer.status_code, answer.headers, await answer.aread())
                yield answer
            finally:
                await answer.aclose()


def task_path(video_id: str) -> str:
    return f"api/video/tasks/{quote(video_id, safe='')}"


class _Part:
    """A file that takes its name when it is whole."""

    def __init__(self, target: Path) -> None:
        self._target = target
        descriptor, self._name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=".part"
        )
        self._file = open(descriptor, "wb")  # noqa: SIM115 - closed by keep or exit

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        with suppress(FileNotFoundError):
            os.unlink(self._name)

    def write(self, piece: bytes) -> None:
        self._file.write(piece)

    def keep(self) -> None:
        self._file.close()
        os.chmod(self._name, 0o644)
        os.replace(self._name, self._target)


async def _lines(pieces: AsyncIterator[bytes], heard: Callable[[], None]) -> AsyncGenerator[str, None]:
    """The whole lines in *pieces*; what a break leaves of one is nothing."""
    rest = b""
    async for piece in pieces:
        heard()
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_EVENT:
            raise Unreachable("it sends a line without end")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


@contextmanager
def _broken_is_unreachable() -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException:
        raise Unreachable("it does not answer") from None
    except httpx.ConnectError:
        raise Unreachable("no connection could be made") from None
    except (httpx.HTTPError, httpx.StreamError):
        raise Unreachable("the connection broke") from None
