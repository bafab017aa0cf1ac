"""A small blocking client of a gateway's ``/api``: the standard library is enough, and it starts at once."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from sora_gateway.cli.form import Form
from sora_gateway.errors import GatewayError, StartupError

PATIENCE = 30.0
"""Seconds without a byte after which a connection is given up; streams send a heartbeat every 15 s."""
PIECE = 1 << 16


class Answered(GatewayError):
    """The gateway answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.http_status = status
        self.code = code


class Unreachable(Exception):
    """No answer, or a broken one; whether the gateway got the request is not known."""


@dataclass(frozen=True, slots=True)
class Message:
    """One server-sent event: its cursor, and its data as JSON."""

    cursor: str
    data: Mapping[str, Any]


class Client:
    """*base* is the gateway's address; *token* an API key or session token."""

    def __init__(self, base: str, token: str) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StartupError(
                f"{base} is not the address of a gateway; it looks like http://127.0.0.1:8000."
            )
        self.base = base.rstrip("/") + "/"
        self._origin = (parts.scheme, parts.netloc)
        self._token = token

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The decoded JSON answer. *path* is relative to the gateway's address, *body* a :class:`Form` or JSON.

        Raises:
            Answered: the gateway answered with an error.
            Unreachable: it did not answer.
        """
        data = None
        if isinstance(body, Form):
            data, headers["Content-Type"] = body.encoded(), body.content_type
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        with _broken_is_unreachable():
            connection, response = self._open(method, path, data, headers)
            with closing(connection):
                return json.loads(response.read()) if response.status != 204 else None

    def messages(self, path: str, cursor: str | None) -> Iterator[Message]:
        """The events of a stream after *cursor*, until it ends.

        Raises:
            Answered: the gateway answered with an error.
            Unreachable: the connection broke.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": cursor} if cursor else {})
        with _broken_is_unreachable():
            connection, response = self._open("GET", path, None, headers)
            with closing(connection):
                yield from parse_stream(response)

    def download(self, path: str, target: Path) -> None:
        """Saves a file as *target*: complete, or not at all.

        Raises:
            Answered: the gateway answered with an error.
            Unreachable: the connection broke.
            OSError: the file cannot be written.
        """
        with _broken_is_unreachable():
            connection, response = self._open("GET", path, None, {})
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        try:
            with closing(connection), open(descriptor, "wb") as file:
                file.writelines(_pieces(response))
            os.chmod(name, 0o644)
            os.replace(name, target)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)

    def _open(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        url = urlsplit(urljoin(self.base, path))
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.netloc, timeout=PATIENCE)
        # A signed address may point elsewhere; our credential goes to the gateway only.
        credential = (
            {"Authorization": f"Bearer {self._token}"} if (url.scheme, url.netloc) == self._origin else {}
        )
        try:
            target = f"{url.path}?{url.query}" if url.query else url.path
            connection.request(method, target, body, {**headers, **credential})
            response = connection.getresponse()
            if response.status >= 300:
                raise _error(response)
        except BaseException:
            connection.close()
            raise
        return connection, response


def parse_stream(lines: Iterable[bytes]) -> Iterator[Message]:
    """The events in the lines of a ``text/event-stream``; comments, other fields and events without data are skipped."""
    cursor = ""
    data: list[str] = []
    for raw in lines:
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if text == "":
            if data:
                yield Message(cursor, json.loads("\n".join(data)))
            data = []
        elif field == "id":
            cursor = value
        elif field == "data":
            data.append(value)


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    with _broken_is_unreachable():
        while piece := response.read(PIECE):
            yield piece
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)


def _error(response: http.client.HTTPResponse) -> Answered:
    try:
        error = json.loads(response.read(PIECE))["error"]
        return Answered(response.status, str(error["code"]), str(error["message"]))
    except (ValueError, KeyError, TypeError):
        return Answered(
            response.status,
            "bad_answer",
            f"The address answers with HTTP {response.status}, but is no sora-gateway.",
        )


@contextmanager
def _broken_is_unreachable() -> Iterator[None]:
    try:
        yield
    except json.JSONDecodeError:
        raise Unreachable("it answers with something that is not JSON") from None
    except TimeoutError:
        raise Unreachable("it does not answer") from None
    except (http.client.HTTPException, OSError) as error:
        raise Unreachable(getattr(error, "strerror", None) or "the connection broke") from None
