"""A file from the disk as a response: ranges, conditional requests, and nothing that could run."""

from __future__ import annotations

import os
import re
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from sora_gateway.errors import Gone, RangeNotSatisfiable
from sora_gateway.http.middleware import REQUEST_ID
from sora_gateway.http.problems import problem

MEDIA_TYPES = ("video/mp4", "video/webm", "image/webp", "image/jpeg", "image/png")
"""What a stored file can be."""
NOT_KEPT = "The file of this video is not kept any more."
CONDITIONAL = {206: "The parts that were asked for.", 304: "The file is the one that is known already."}
"""How :func:`file_response` may answer beside 200."""

# Opened on its own, a stored file is a page without scripts and without an origin that can show itself.
_SANDBOX = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
_RANGE = re.compile(r"(\d{1,18})-(\d{1,18})?|-(\d{1,18})")


class RangedFile(FileResponse):
    """Starlette's, with few ranges at most, ranges that make no sense ignored, and 416 in our envelope. It answers
    when the file is open: then it may be removed, and whoever gets it gets it whole.

    The headers must have the ETag; *path* must exist.
    """

    # A thread reads each chunk: larger ones cost less in all.
    chunk_size = 256 * 1024
    max_ranges = 8

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope).get("range")
        if asked is not None and not self._sensible(asked):
            # RFC 9110 14.2: such a header is ignored; Starlette would answer 400.
            kept = [header for header in scope["headers"] if header[0] != b"range"]
            scope = {**scope, "headers": kept}
        unsatisfiable, start = False, None

        async def watched_send(message: Message) -> None:
            nonlocal unsatisfiable, start
            if message["type"] == "http.response.start":
                unsatisfiable, start = message["status"] == 416, message
            elif not unsatisfiable:
                if start is not None:
                    first, start = start, None
                    await send(first)
                await send(message)

        try:
            await super().__call__(scope, receive, watched_send)
        except FileNotFoundError:
            if start is None:
                raise
            # Removed since it was looked at.
            await problem(Gone(NOT_KEPT), scope[REQUEST_ID])(scope, receive, send)
        if unsatisfiable:
            size = self.headers["content-length"]
            error = RangeNotSatisfiable(f"The file has {size} bytes; the range asked for lies beyond them.")
            answer = problem(error, scope[REQUEST_ID], {"content-range": f"bytes */{size}"})
            await answer(scope, receive, send)

    def _sensible(self, asked: str) -> bool:
        unit, _, ranges = asked.partition("=")
        parts = [part.strip() for part in ranges.split(",", self.max_ranges)]
        if unit.strip().lower() != "bytes" or len(parts) > self.max_ranges:
            return False
        matches = [_RANGE.fullmatch(part) for part in parts]
        return all(match and (match[2] is None or int(match[1]) <= int(match[2])) for match in matches)


def file_response(
    request: Request, path: Path, media_type: str, sha256: str, download_name: str | None
) -> Response:
    """The stored file at *path*, whose hash in hex is its ETag; saved under *download_name* if that is given.

    Raises:
        Gone: there is no file at *path* any more.
    """
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        raise Gone(NOT_KEPT) from None
    etag = f'"{sha256}"'
    # Kept by the browser, but asked about each time: rights can be withdrawn and files deleted.
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    if _is_known(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    headers["content-security-policy"] = _SANDBOX
    return RangedFile(path, headers=headers, media_type=media_type, filename=download_name, stat_result=stat)


def _is_known(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110 13.1.2: a list of tags, compared weakly, or anything at all."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]
