"""How often people, keys and addresses may ask, by class of route; said in every answer that is limited.

``RateLimit-Limit``, ``RateLimit-Remaining`` and ``RateLimit-Reset`` (seconds) are those of
draft-ietf-httpapi-ratelimit-headers-03, the form that clients read; of several limits that of the tightest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from sora_gateway.clock import Clock
from sora_gateway.core.networks import network_of
from sora_gateway.core.principal import Principal
from sora_gateway.core.rates import Rate, RateLimiter, Verdict
from sora_gateway.errors import TooManyRequests


class Limits(Protocol):
    """``[limits]`` of the configuration: requests in a minute; 0 is unlimited."""

    @property
    def per_person(self) -> int: ...
    @property
    def per_key(self) -> int: ...
    @property
    def per_address(self) -> int: ...
    @property
    def creates_per_person(self) -> int: ...


class RequestLimits:
    """Counts requests. A refused one changes nothing, so asking again does not lengthen the wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limiter = RateLimiter()

    def count(
        self, limits: Limits, principal: Principal | None, address: str, *, paid: bool
    ) -> Mapping[str, str]:
        """Counts one request of *principal*, or of a stranger at *address*; *paid* says whether it may cost something.

        Returns the headers that tell what is left, none if nothing is limited.

        Raises:
            TooManyRequests: it is one too many; its headers say when it will not be.
        """
        now = self._clock.monotonic()
        rates = [(key, Rate(calls)) for key, calls in _limited(limits, principal, address, paid) if calls]
        tightest = min(
            (self._limiter.look(key, rate, now) for key, rate in rates),
            key=lambda verdict: (-(verdict.retry_after or 0.0), verdict.remaining),
            default=None,
        )
        if tightest is None:
            return {}
        if tightest.retry_after is not None:
            raise TooManyRequests(
                f"That is more than {tightest.limit} requests in a minute; slow down.",
                retry_after=tightest.retry_after,
                headers=_headers(tightest),
            )
        for key, rate in rates:
            self._limiter.take(key, rate, now)
        return _headers(tightest)


def _limited(limits: Limits, principal: Principal | None, address: str, paid: bool) -> list[tuple[str, int]]:
    if principal is None:
        return [(f"address {network_of(address)}", limits.per_address)]
    found = [(f"person {principal.user_id}", limits.per_person)]
    if principal.via == "key":
        found.append((f"key {principal.credential}", limits.per_key))
    if paid:
        found.append((f"creates {principal.user_id}", limits.creates_per_person))
    return found


def _headers(verdict: Verdict) -> Mapping[str, str]:
    return {
        "ratelimit-limit": str(verdict.limit),
        "ratelimit-remaining": str(verdict.remaining),
        "ratelimit-reset": str(math.ceil(verdict.reset_after)),
    }
