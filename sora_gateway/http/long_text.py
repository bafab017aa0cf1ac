"""Texts that are too long to be worked on in one go: a data: address, which is as large as the file in it.

One call into C holds the interpreter, and with it every other request, in whatever thread it runs. A text of
Latin letters is copied at gigabytes a second; one of others is not, and nobody sends such a one.
"""

from __future__ import annotations

from sora_gateway.errors import InvalidRequest

LONG_TEXT = 1 << 19
"""Bytes; the longest prompt fits four times, whatever it is written in."""


def no_address() -> InvalidRequest:
    return InvalidRequest(f"The body has a text of more than {LONG_TEXT} bytes that is no data: address.")


def decoded(text: bytes) -> str:
    """*text* as it is written in UTF-8.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
        InvalidRequest: it is long and not ASCII.
    """
    if len(text) > LONG_TEXT and not text.isascii():
        raise no_address()
    return text.decode()
