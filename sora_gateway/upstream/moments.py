"""Numbers and times as upstreams write them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER = 900.0
"""Seconds; an upstream that asks for more is asked again after a quarter of an hour all the same."""

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_LAST_MOMENT = 1e11
"""Epoch seconds in the year 5138: what is later are other units, or nothing that a calendar can show."""


def number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def moment(value: object) -> float | None:
    """Epoch seconds from seconds or milliseconds."""
    seconds = number(value)
    if seconds is None or not 0 < seconds <= _LAST_MOMENT * 1000:
        return None
    return seconds / 1000 if seconds > _LAST_MOMENT else seconds


def took(began: object, ended: object) -> float | None:
    """Seconds between two moments by the upstream's own clock, which may be wrong, but equally wrong at both."""
    start, end = moment(began), moment(ended)
    return None if start is None or end is None or end < start else end - start


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds from ``retry-after-ms`` or ``Retry-After``, at most 900; None when absent or meaningless.

    A date is measured against the answer's own ``Date``: the upstream's clock may be off, its differences are not.
    """
    millis = headers.get("retry-after-ms", "").strip()
    if _SECONDS.fullmatch(millis):
        return min(MAX_RETRY_AFTER, float(millis) / 1000)
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return min(MAX_RETRY_AFTER, float(text))
    until = _http_date(text)
    if until is None:
        return None
    return min(MAX_RETRY_AFTER, max(0.0, until - (date_of(headers) or now)))


def date_of(headers: Mapping[str, str]) -> float | None:
    """The answer's own ``Date`` in epoch seconds."""
    return _http_date(headers.get("date", ""))


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
