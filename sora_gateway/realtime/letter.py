"""One event with the message that all its readers get, made and framed once for all of them."""

from __future__ import annotations

from typing import Literal

from sora_gateway.core.event_log import StoredEvent, UrlsOf, written
from sora_gateway.realtime.framing import Form

_NO_FILES = ',"variants":[]}'
"""How the stored state of a job without files ends."""


class Letter:
    """A :class:`~sora_gateway.realtime.framing.Message`; *size* is its bytes."""

    __slots__ = ("_made", "body", "cursor", "event")

    kind: Literal["update"] = "update"

    def __init__(self, event: StoredEvent, epoch: str, urls_of: UrlsOf) -> None:
        self.event = event
        self.cursor = written(epoch, event.seq)
        self.body = body_of(event, self.cursor, epoch, urls_of)
        self._made: dict[Form, bytes] = {}

    @property
    def size(self) -> int:
        return len(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    def framed(self, form: Form) -> bytes:
        made = self._made.get(form)
        if made is None:
            made = self._made[form] = form(self)
        return made


def body_of(event: StoredEvent, cursor: str, epoch: str, urls_of: UrlsOf) -> bytes:
    """The JSON of :func:`update_of`.

    What is stored of a job without files is the message but for three keys, and is not read and written anew: that
    takes longer than telling it to several readers. A test compares the two.
    """
    payload = event.payload
    if payload.endswith(_NO_FILES):
        return f'{payload[: -len(_NO_FILES)]},"type":"update","cursor":"{cursor}","assets":null}}'.encode()
    from sora_gateway.core.messages import update_of  # not before there is somebody to tell

    return update_of(event, epoch, urls_of).model_dump_json(by_alias=True).encode()
