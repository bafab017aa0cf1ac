"""Forms written by hand, and an application with one endpoint that takes them and says what it was given."""

from __future__ import annotations

from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.uploads import FileOr, Upload
from tests.http_calls import application, client_of

MULTIPART = "multipart/form-data; boundary=b"
PNG = b"\x89PNG\r\n\x1a\n and so on"
MiB = 1 << 20


def part(name: str, content: bytes | str, more: str = "") -> bytes:
    """One part of a form; *more* follows the name in its Content-Disposition."""
    data = content.encode() if isinstance(content, str) else content
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: str = ""
    image: FileOr[dict[str, str]] | None = None
    clip: Upload | None = None


async def make_thing(call: Call) -> Response:
    """Says what it was given."""
    image, clip = call.body.image, call.body.clip
    said = {
        "prompt": call.body.prompt,
        "image": [image.filename, image.content_type, len(image.data)]
        if isinstance(image, Upload)
        else image,
        "clip": clip and len(clip.data),
    }
    return JSONResponse(said)


def gateway(**options: Any) -> Any:
    endpoint = Endpoint(
        method="POST", path="/things", handler=make_thing, summary="", access=Access.MEMBER, tag="things",
        request=Wanted, form=Wanted, uploads=True,
    )  # fmt: skip
    return application([endpoint], **options)


async def post(body: bytes, content_type: str = MULTIPART, **options: Any) -> httpx.Response:
    async with client_of(
        gateway(**options), authorization="Bearer member", content_type=content_type
    ) as client:
        return await client.post("/things", content=body)


async def error_of(body: bytes, content_type: str = MULTIPART, **options: Any) -> tuple[int, str]:
    answer = await post(body, content_type, **options)
    return answer.status_code, answer.json()["error"]["message"]
