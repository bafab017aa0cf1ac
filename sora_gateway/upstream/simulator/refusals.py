"""OpenAI's error envelope."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from starlette.responses import JSONResponse

_TYPES = {401: "authentication_error", 402: "insufficient_quota", 429: "rate_limit_error"}


class Refused(Exception):
    """An error that is answered: HTTP status, code and one sentence; *retry_after* in seconds."""

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retry_after = retry_after

    def response(self) -> JSONResponse:
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        headers = {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
        return JSONResponse({"error": error}, self.status, headers)


def invalid(message: str, param: str | None = None, code: str | None = "invalid_request") -> Refused:
    return Refused(400, code, message, param)


@contextlib.contextmanager
def disk_trouble_told() -> Iterator[None]:
    """A disk that would not take the job: nothing happened, and later it may."""
    try:
        yield
    except OSError:
        raise Refused(503, "server_error", "The simulator cannot write to its disk.", retry_after=5) from None
