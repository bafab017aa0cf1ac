"""A form with a file, as bytes: the standard library reads these and does not write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sora_gateway.entropy import SystemEntropy


@dataclass(frozen=True, slots=True)
class Form:
    """*fields* are texts; *data* is the file that goes as *file_field* under the name *file_name*."""

    fields: Mapping[str, str]
    file_field: str
    file_name: str
    data: bytes = field(repr=False)
    boundary: str = field(default_factory=lambda: SystemEntropy().new_id("form"))
    """Random, so that no file has it."""

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={self.boundary}"

    def encoded(self) -> bytes:
        """The body (RFC 7578)."""
        parts = [(f'name="{name}"', "", value.encode()) for name, value in self.fields.items()]
        # What a file is, the gateway sees for itself.
        file = f'name="{self.file_field}"; filename="{_quoted(self.file_name)}"'
        parts.append((file, "Content-Type: application/octet-stream\r\n", self.data))
        pieces = [
            f"--{self.boundary}\r\nContent-Disposition: form-data; {what}\r\n{more}\r\n".encode()
            + data
            + b"\r\n"
            for what, more, data in parts
        ]
        return b"".join([*pieces, f"--{self.boundary}--\r\n".encode()])


def _quoted(file_name: str) -> str:
    """As browsers write it; bytes of a file's name that are no text become question marks."""
    text = file_name.encode(errors="replace").decode()
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
