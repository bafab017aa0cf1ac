"""What the answer to a paid create means: one pure table, one test per row.

The question is never "did it work" but "may a create have been paid for". Only what proves that nothing
was sent, or that the upstream refused, is ever followed by another create.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from sora_gateway.core.job import ExternalId


class OutcomeClass(StrEnum):
    NOT_SENT = "not_sent"
    """Nothing left this machine: queued again, backoff with full jitter."""
    REFUSED_FOR_NOW = "refused_for_now"
    """The upstream took nothing and may take it later: queued until max(Retry-After, backoff), counted."""
    OUT_OF_ORDER = "out_of_order"
    """Our key, our balance or our rights there are the problem: the upstream pauses, the job stays queued."""
    REFUSED = "refused"
    """The upstream will not make this video: failed, hold released."""
    RECEIPT = "receipt"
    """Accepted under an id: committed at once."""
    KNOWN = "known"
    """Our own idempotency key was recognised: the id is adopted."""
    UNKNOWN = "unknown"
    """It may have been paid for: held, looked for, never silently paid again."""


@dataclass(frozen=True, slots=True)
class CreateAnswer:
    """What one create call met, without any judgement.

    Exactly one of *not_sent*, *lost* and *status* is set. *external_id* and *error_code* / *error_message*
    are what the dialect's parser found in the body, if anything.
    """

    not_sent: str | None = None
    lost: str | None = None
    status: int | None = None
    external_id: str | None = None
    parsed: bool = True
    """Whether the body was a JSON object within bounds."""
    error_code: str = ""
    error_message: str = ""
    retry_after: float | None = None
    """Seconds, from ``Retry-After`` or ``retry-after-ms``."""
    own_key: bool = False
    """Whether we sent an idempotency key that this upstream honours."""
    excerpt: str = ""
    """Bounded, redacted start of the raw answer, for the operator."""


@dataclass(frozen=True, slots=True)
class Outcome:
    kind: OutcomeClass
    external_id: ExternalId | None = None
    code: str = ""
    message: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class RejectRules:
    """What a profile knows about its server: statuses that provably precede any charge."""

    rejected_before_work: frozenset[int] = field(default_factory=frozenset)


VALID_EXTERNAL_ID = re.compile(r"[A-Za-z0-9._:=+/@~-]{1,512}")
"""Long enough for LiteLLM's base64 ids; no spaces, control characters, quotes or percent signs. It is
percent-encoded wherever it goes into a path, and never becomes a file name."""

MODERATION_CODES = frozenset(
    {
        "moderation_blocked", "content_policy_violation", "sentinel_block", "prompt_unsafe", "image_unsafe",
        "video_unsafe", "moderation", "content_moderation", "safety", "451",
    }
)  # fmt: skip

NO_BALANCE_CODES = frozenset(
    {"insufficient_quota", "insufficient_user_quota", "insufficient_balance", "billing_hard_limit_reached"}
)
"""Servers say so under 400, 403 or 429 as well; no other video would fare better, so nothing is refused."""

_REFUSED = frozenset({400, 404, 405, 413, 415, 422})
_OUT_OF_ORDER = frozenset({401, 402, 403})


def is_moderation(code: str) -> bool:
    """Whether an upstream's error code means that the content, not the account, was refused."""
    lowered = code.lower()
    return lowered in MODERATION_CODES or lowered.startswith("safety.")


def valid_external_id(text: object) -> ExternalId | None:
    """*text* as an external id if it can be one; ``..`` as a path segment cannot."""
    if not isinstance(text, str) or not VALID_EXTERNAL_ID.fullmatch(text):
        return None
    return None if {".", ".."} & set(text.split("/")) else ExternalId(text)


def classify(answer: CreateAnswer, rules: RejectRules, id_is_new: bool = True) -> Outcome:
    """The row of the table that *answer* falls into.

    *id_is_new* says whether ``answer.external_id`` belongs to no job of this upstream yet: an id that we
    already have proves nothing about this create.
    """
    if answer.not_sent is not None:
        return Outcome(OutcomeClass.NOT_SENT, message=answer.not_sent)
    if answer.lost is not None or answer.status is None:
        return Outcome(OutcomeClass.UNKNOWN, message=answer.lost or "the answer was lost")
    status, external_id = answer.status, valid_external_id(answer.external_id)

    if 200 <= status < 300:
        if not answer.parsed:
            return Outcome(OutcomeClass.UNKNOWN, message=f"HTTP {status} with a body that is not JSON")
        if external_id is None:
            return Outcome(OutcomeClass.UNKNOWN, message=f"HTTP {status} without a usable id")
        if not id_is_new:
            return Outcome(
                OutcomeClass.UNKNOWN, message="the upstream answered with an id that another job has"
            )
        return Outcome(OutcomeClass.RECEIPT, external_id)

    if status == 409 and answer.own_key and external_id is not None and id_is_new:
        return Outcome(OutcomeClass.KNOWN, external_id)
    if status in (400, 403, 429) and answer.error_code.lower() in NO_BALANCE_CODES:
        status = 402
    if (
        status == 429
        or status in rules.rejected_before_work
        or (status == 503 and answer.retry_after is not None)
    ):
        return Outcome(
            OutcomeClass.REFUSED_FOR_NOW, None, answer.error_code or f"http_{status}",
            answer.error_message or f"the upstream answered HTTP {status}", answer.retry_after,
        )  # fmt: skip
    if status in _OUT_OF_ORDER and not (status == 403 and is_moderation(answer.error_code)):
        reason = {401: "refuses our key", 402: "reports no balance", 403: "forbids this account"}[status]
        return Outcome(OutcomeClass.OUT_OF_ORDER, None, f"http_{status}", f"the upstream {reason}")
    if status in _REFUSED or status == 403:
        code = (
            "moderation_blocked"
            if is_moderation(answer.error_code)
            else answer.error_code or f"http_{status}"
        )
        return Outcome(
            OutcomeClass.REFUSED,
            None,
            code,
            answer.error_message or f"The upstream refused it with HTTP {status}.",
        )
    return Outcome(OutcomeClass.UNKNOWN, message=f"HTTP {status}")
