"""The secrets of the tests: each is recognised wherever it turns up, and must turn up nowhere."""

from __future__ import annotations

import re

from sora_gateway.entropy import SystemEntropy

MARK = "c4n4ry"
"""In every secret of the tests, and in nothing else that they or the gateway write."""

UPSTREAM_KEY = f"sk-{MARK}-7Qm2xVt9Lz"
"""Of ``[upstreams.lab]``."""
ADDED_KEY = f"sk-{MARK}-b8Rk4wPz1N"
"""Of an upstream that is added at run time."""
WEBHOOK_SECRET = f"whsec_{MARK}Zx8LmQ2vTn5RbW7yKd3HsJ1fQe"
"""Base64 of 24 bytes, as the standard has it."""

_LEAK = re.compile(
    rf"\S*{MARK}\S*"
    # What processes of their own make is random: known by its form.
    r"|sgw_[A-Za-z0-9_-]{43}|whsec_[A-Za-z0-9+/=]{32,}|#login=[\w-]{20,}|\b(?:signature|ticket)=[\w-]{20,}"
)


def leaks(text: str) -> list[str]:
    """Every secret in *text*."""
    return _LEAK.findall(text)


class CanaryEntropy(SystemEntropy):
    """As random as the real one; each key, session, link and ticket that a gateway makes with it is recognised."""

    def token(self) -> str:
        # Not at the beginning: lists show that of an API key.
        token = super().token()
        return f"{token[:8]}{MARK}{token[8:]}"
