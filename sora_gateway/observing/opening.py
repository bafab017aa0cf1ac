"""Tracing and the reporting of errors where they are set; imports what they need there, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from sora_gateway.errors import StartupError
from sora_gateway.logs.redaction import Redactor
from sora_gateway.metrics_settings import Sentry, Tracing

if TYPE_CHECKING:
    from sora_gateway.observing.tracing import Traces


@asynccontextmanager
async def tracing(settings: Tracing) -> AsyncIterator[Traces | None]:
    """What traces requests and calls, None where nobody wants traces.

    Raises:
        StartupError: the extra is not installed.
    """
    if not settings.endpoint:
        yield None
        return
    try:
        from sora_gateway.observing.tracing import Traces
    except ImportError:
        raise _missing("tracing.endpoint", "otel") from None
    traces = Traces(settings.endpoint, settings.service_name, settings.sample_ratio)
    try:
        yield traces
    finally:
        await traces.aclose()


def reporting(settings: Sentry, redactor: Redactor) -> AbstractContextManager[None]:
    """To be entered for as long as the process lives.

    Raises:
        StartupError: the extra is not installed, or the address is none.
    """
    dsn = settings.dsn.get_secret_value()
    if not dsn:
        return nullcontext()
    try:
        from sora_gateway.observing import sentry
    except ImportError:
        raise _missing("sentry.dsn", "sentry") from None
    redactor.add([dsn])
    return sentry.reporting(dsn, settings.environment, redactor)


def _missing(setting: str, extra: str) -> StartupError:
    return StartupError(
        f"{setting} is set, but what it needs is not installed: pip install 'sora-gateway[{extra}]'."
    )
