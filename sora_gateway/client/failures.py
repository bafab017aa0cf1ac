"""The two ways in which a gateway cannot be asked, and how a live connection ends."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sora_gateway.errors import CloseCode, GatewayError

LONGEST = 900.0
"""Seconds; who is told to stay away for longer, by whatever is in between, comes back all the same."""


class Answered(GatewayError):
    """The gateway answered with an error; *code* is from its catalogue, ``bad_answer`` when it is no gateway."""

    def __init__(self, status: int, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.http_status = status
        self.code = code

    @property
    def from_gateway(self) -> bool:
        """Whether it is the gateway's own word and not that of something in between."""
        return self.code != "bad_answer"


class Unreachable(Exception):
    """No answer, or a broken one; whether the gateway got the request is not known. The text is the reason."""


class Ended(Exception):
    """A live connection is over. *code* is a WebSocket's close code, or the one that means the same; 0 for none.

    *said* tells whether the gateway itself ended it, *after* how many seconds to stay away.
    """

    def __init__(self, reason: str, code: int = 0, *, said: bool = False, after: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.said = said
        self.after = after

    @property
    def refusal(self) -> Answered:
        """The same as an error, for when there is no coming back."""
        if self.code in (CloseCode.EXPIRED, CloseCode.NOT_AUTHENTICATED):
            return Answered(401, "invalid_api_key", self.reason)
        if self.code == CloseCode.FORBIDDEN:
            return Answered(403, "forbidden", self.reason)
        return Answered(400, "closed", self.reason)


def answered(status: int, headers: Mapping[str, str], body: bytes) -> Answered:
    """The error in an HTTP answer."""
    try:
        after: float | None = min(LONGEST, float(int(headers["retry-after"])))
    except (KeyError, ValueError, OverflowError):
        after = None
    try:
        error = json.loads(body)["error"]
        return Answered(status, str(error["code"]), str(error["message"]), after)
    except (ValueError, KeyError, TypeError):
        what = f"The address answers with HTTP {status}, but is no sora-gateway."
        return Answered(status, "bad_answer", what, after)


def ended_by(error: Answered) -> Ended:
    """What an error means for a live connection. Only the gateway's own word stops anything: a proxy that forbids
    does not know who may see what.

    Raises:
        Answered: there is nothing to come back for, such as an unknown id.
    """
    status, after = error.http_status, error.retry_after or 0.0
    if status == 429 or (status == 503 and error.from_gateway):
        return Ended(error.message, CloseCode.LIMIT_REACHED, said=True, after=after)
    if not error.from_gateway:
        return Ended(f"it answers with HTTP {status}", after=after)
    if status == 401:
        return Ended(error.message, CloseCode.EXPIRED, said=True)
    if status < 500:
        raise error
    return Ended(error.message, said=True, after=after)
