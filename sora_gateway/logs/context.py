"""Which request, and which job, a log line belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context


class _Request:
    """A request's id while it is being answered. Tasks that it starts share it, and may outlive the answer."""

    def __init__(self, request_id: str) -> None:
        self.id: str | None = request_id


_current: ContextVar[_Request | None] = ContextVar("request", default=None)
_job: ContextVar[str | None] = ContextVar("job", default=None)


@contextmanager
def answering(request_id: str) -> Iterator[None]:
    """What is logged inside, by this task or by those that it starts, belongs to the request of that id."""
    request = _Request(request_id)
    token = _current.set(request)
    try:
        yield
    finally:
        # A watcher that began here goes on for hours; what it says then is not this request's.
        request.id = None
        _current.reset(token)


def current_request() -> str | None:
    """The id of the request that is being answered, if one is."""
    request = _current.get()
    return None if request is None else request.id


def of_job(job_id: str) -> Context:
    """A context for the task of a job's watcher: what is logged in it, and by the tasks that it starts, is the job's."""
    context = copy_context()
    context.run(_job.set, job_id)
    return context


def current_job() -> str | None:
    """The id of the job whose watcher this is, if it is one."""
    return _job.get()
