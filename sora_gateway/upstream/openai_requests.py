"""What is paid for in the ``openai`` dialect, as it goes out: orders in, requests out, nothing sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never
from urllib.parse import quote

from sora_gateway.core.operation import Operation
from sora_gateway.upstream.adapter import CreateOrder
from sora_gateway.upstream.client import NotSent, Part, Request
from sora_gateway.upstream.profiles import Profile

_WITHOUT_SOURCE = "there is no video to start from"


class PaidRequests:
    """The paid requests of one upstream at *base* (without a slash at its end), each with the *auth* headers."""

    def __init__(self, base: str, auth: Mapping[str, str], profile: Profile) -> None:
        self._videos = base + profile.videos_path
        self._auth = dict(auth)
        self._profile = profile

    def video(self, order: CreateOrder) -> Request:
        """The create, remix, edit or extension that *order* asks for, with its idempotency key if one is honoured.

        Raises:
            NotSent: this upstream has no such operation or no characters, or the order names no source.
        """
        if order.operation not in self._profile.operations:
            raise NotSent(f"the upstream has no operation {order.operation}")
        if order.characters and not self._profile.characters:
            raise NotSent("the upstream has no characters")
        request = self._operation(order)
        key = order.idempotency_key
        if not self._profile.idempotency_header or not key:
            return request
        headers = {**request.headers, self._profile.idempotency_header: key}
        if request.parts:
            # A form of the same bytes every time: by another boundary it would be another request.
            headers["Content-Type"] = f"multipart/form-data; boundary={key}"
        return replace(request, headers=headers)

    def _operation(self, order: CreateOrder) -> Request:
        match order.operation:
            case Operation.CREATE:
                return self._create(order)
            case Operation.REMIX:
                if order.source is None:
                    raise NotSent(_WITHOUT_SOURCE)
                path = f"/{quote(order.source, safe='')}/remix"
                model = {"model": order.model} if self._profile.remix_names_model else {}
                return self._as_json(path, {"prompt": order.prompt} | model, order.attempt_id)
            case Operation.EDIT:
                return self._from_source("/edits", {"prompt": order.prompt}, order)
            case Operation.EXTEND:
                fields: dict[str, object] = {"prompt": order.prompt} | self._seconds(order)
                return self._from_source("/extensions", fields, order)
            case _:
                assert_never(order.operation)

    def character(self, name: str, video: bytes, media_type: str, attempt_id: str) -> Request:
        """The making of a character out of *video*.

        Raises:
            NotSent: this upstream has no characters.
        """
        if not self._profile.characters:
            raise NotSent("the upstream has no characters")
        parts = (_text("name", name), _file("video", video, "character", media_type))
        return self._as_form("/characters", parts, attempt_id)

    def _create(self, order: CreateOrder) -> Request:
        profile = self._profile
        fields = {"model": order.model, "prompt": order.prompt} | self._seconds(order) | {"size": order.size}
        if profile.create_encoding == "multipart" or (profile.create_encoding == "auto" and order.image):
            parts = [_text(name, value) for name, value in fields.items()]
            parts += [_text("characters[][id]", one) for one in order.characters]
            if order.image:
                parts.append(_file(profile.image_field, order.image, "reference", order.image_type))
            return self._as_form("", tuple(parts), order.attempt_id)
        if order.characters:
            fields["characters"] = [{"id": one} for one in order.characters]
        if order.image:
            url = f"data:{order.image_type};base64,{base64.b64encode(order.image).decode('ascii')}"
            fields[profile.image_field] = url if profile.image_in_json == "text" else {"image_url": url}
        return self._as_json("", fields, order.attempt_id)

    def _from_source(self, path: str, fields: dict[str, object], order: CreateOrder) -> Request:
        """*fields* and the video to start from: by its id if it has one there, or else the file itself."""
        if order.source is not None:
            return self._as_json(path, fields | {"video": {"id": order.source}}, order.attempt_id)
        if not order.source_file:
            raise NotSent(_WITHOUT_SOURCE)
        parts = [_text(name, value) for name, value in fields.items()]
        parts.append(_file("video", order.source_file, "source", order.source_type))
        return self._as_form(path, tuple(parts), order.attempt_id)

    def _seconds(self, order: CreateOrder) -> dict[str, object]:
        as_number = self._profile.duration_type == "integer"
        return {self._profile.duration_field: order.seconds if as_number else str(order.seconds)}

    def _as_json(self, path: str, fields: Mapping[str, object], attempt_id: str) -> Request:
        headers = self._headers(attempt_id) | {"Content-Type": "application/json"}
        return Request("POST", self._videos + path, headers, body=json.dumps(fields).encode())

    def _as_form(self, path: str, parts: tuple[Part, ...], attempt_id: str) -> Request:
        return Request("POST", self._videos + path, self._headers(attempt_id), parts=parts)

    def _headers(self, attempt_id: str) -> dict[str, str]:
        return self._auth | dict(self._profile.create_headers) | {"X-Client-Request-Id": attempt_id}


def _text(name: str, value: object) -> Part:
    # Half of a surrogate pair has no UTF-8.
    return Part(name, str(value).encode(errors="replace"))


def _file(name: str, data: bytes, called: str, media_type: str) -> Part:
    suffix = media_type.rpartition("/")[2] or "bin"
    return Part(name, data, f"{called}.{suffix}", media_type)
