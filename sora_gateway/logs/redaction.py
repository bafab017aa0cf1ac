"""Secrets in what is about to be written: those that we know, and whatever looks like one.

The last line of defence. Nothing is logged in the trust that it is hidden here: tests/canary_plugin.py looks at what
is logged before it is redacted.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from urllib.parse import quote

REDACTED = "[redacted]"
WORTH_HIDING = 6
"""Characters; a shorter "secret" is a placeholder ("none", "EMPTY"), and hiding it would tear words apart."""
MARGIN = 4096
"""Characters that are looked at beyond the end of what is shown, so that no first half of a secret is."""

_VALUE = r"""(?:"(?:[^"\\]|\\.){0,4096}"|'(?:[^'\\]|\\.){0,4096}'|["']?[^\s"'&,;)}\]]+)"""
_NAME = r"(?:password|passwd|passphrase|secret|token|ticket|signature|api[_-]?key|login|\bsid|[?&]code)"
# Every quantifier is bounded, or runs over characters that end it for good: the time is linear in the text.
_SHAPES = (
    # Our API keys, webhook secrets, keys as most upstreams make them, and tokens that carry claims.
    r"sgw_[A-Za-z0-9_-]{12,}",
    r"whsec_[A-Za-z0-9+/=_%-]{8,}",
    r"\b(?:sk|rk|pk)-[A-Za-z0-9_*.-]{6,}",
    r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?",
    # Headers, as a client, a dict or JSON writes them.
    r"""(?P<header>\b(?:proxy-)?authorization["']?\s{0,4}[:=]\s{0,4}["']?(?:\w{1,16}\s{1,4})?)[^\s"',;]+""",
    r"\bbearer\s{1,8}[^\s\"',;]+",
    r"""(?P<cookie>\b(?:set-)?cookie["']?\s{0,4}[:=]\s{0,4}["']?)[^\r\n"']+""",
    r"""(?P<named>\b(?:x-api-key|password|(?:webhook-)?signature)["']?\s{0,4}:\s{0,4}["']?)[^\s"',;]+""",
    # A query, a fragment, a form or a setting; and a quoted name with its value.
    rf"(?P<pair>{_NAME}\s{{0,4}}=\s{{0,4}}){_VALUE}",
    rf"""(?P<item>["'][\w-]{{0,32}}{_NAME}["']\s{{0,4}}:\s{{0,4}}){_VALUE}""",
    # The token of a share link; and who one is, in an address.
    r"(?P<shared>/shared/)[^\s/?\"']{8,}",
    r"(?P<user>://)[^\s/@]+@",
)


@cache
def _shapes() -> re.Pattern[str]:
    """Compiled for the first line that is written: most starts write none."""
    return re.compile("|".join(_SHAPES), re.IGNORECASE)


class Redactor:
    """Hides secrets in texts. Thread-safe; secrets are never forgotten, because a late line may have one."""

    def __init__(self) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._longest = 0
        self._adding = threading.Lock()

    def add(self, secrets: Iterable[str]) -> None:
        """From now on *secrets* are hidden, also where they are percent-encoded or written as JSON."""
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= WORTH_HIDING}
        with self._adding:
            self._secrets |= forms
            self._longest = max(map(len, self._secrets), default=0)

    def shown(self, text: str, limit: int) -> str:
        """*text* without its secrets; of a long one what lies in its first *limit* characters, and how much more
        there was. Takes the same time for every text beyond that."""
        seen = text[: limit + max(MARGIN, self._longest)]
        pieces: list[str] = []
        position = 0
        for start, end in self._spans(seen):
            if start >= limit:
                break
            pieces += seen[position:start], REDACTED
            position = end
        pieces.append(seen[position:limit])
        if len(text) > limit:
            pieces.append(f"… ({len(text) - limit} characters more)")
        return "".join(pieces)

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where secrets are, in order and apart from each other."""
        found = [_hidden(match) for match in _shapes().finditer(text)]
        for secret in self._secrets:
            start = text.find(secret)
            while start >= 0:
                found.append((start, start + len(secret)))
                start = text.find(secret, start + 1)
        reached = -1
        pending: tuple[int, int] | None = None
        for start, end in sorted(found):
            if pending is not None and start > reached:
                yield pending
                pending = None
            reached = max(reached, end)
            pending = (start if pending is None else pending[0], reached)
        if pending is not None:
            yield pending


def _hidden(match: re.Match[str]) -> tuple[int, int]:
    """What of a match is hidden: the name of a field stays, so that one sees what was there."""
    start = match.end(match.lastgroup) if match.lastgroup else match.start()
    return start, match.end()


def _forms(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
