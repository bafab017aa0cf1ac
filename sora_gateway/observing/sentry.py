"""Unexpected errors, reported to Sentry or whatever speaks its protocol: what the log has at ``error`` and above, as
redacted as there. No requests, no local variables, no addresses of people.

Imported only where it is set. Sentry's client belongs to the process, as the log does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport
from sentry_sdk.types import Event, Hint

from sora_gateway.logs.redaction import Redactor

MAX_TEXT = 8192
"""Characters of any text in a report."""
LAST_WORDS = 2.0
"""Seconds that the end of the process waits for reports that are on their way."""


@contextmanager
def reporting(
    dsn: str, environment: str, redactor: Redactor, transport: type[Transport] | None = None
) -> Iterator[None]:
    """Reports while this is entered. *transport* takes the place of the one that sends to *dsn*."""

    def before_send(event: Event, hint: Hint) -> Event:
        if isinstance(record := hint.get("log_record"), logging.LogRecord):
            # The text as the log has it. Its arguments alone have lost what stood around them, by which a secret is known.
            event["logentry"] = {"message": str(record.msg), "formatted": record.getMessage()}
        return redacted(event, redactor)  # type: ignore[no-any-return]  # of the same shape

    client = sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        transport=transport,
        # Not those for frameworks, which would report requests: the log has every error already.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=logging.INFO, event_level=logging.ERROR),
            DedupeIntegration(),
        ],
        include_local_variables=False,
        send_default_pii=False,
        max_request_body_size="never",
        max_breadcrumbs=20,
        server_name="",
        shutdown_timeout=LAST_WORDS,
        before_send=before_send,
    )
    try:
        with client:
            yield
    finally:
        # Left by the client's own end; what is logged after that is nobody's to report.
        sentry_sdk.get_global_scope().set_client(None)


def redacted(value: Any, redactor: Redactor) -> Any:
    """*value* with every text in it, names included, as the log would show it."""
    if isinstance(value, str):
        return redactor.shown(value, MAX_TEXT)
    if isinstance(value, dict):
        return {redacted(key, redactor): redacted(item, redactor) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item, redactor) for item in value]
    return value
