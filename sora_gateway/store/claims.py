"""What a repeated request has made already; asked and recorded in the transaction that makes it."""

from __future__ import annotations

from sora_gateway.core.claim import KEY_LIFETIME, RESEND_WINDOW, Claim, KeyClaim, ResendClaim
from sora_gateway.errors import IdempotencyMismatch
from sora_gateway.store.writer import Transaction


def taken(tx: Transaction, claim: Claim, now: float) -> str | None:
    """The id of what an earlier sending of the same request made; None for the first.

    A try that is found moves its chain on: the same try again is not it.

    Raises:
        IdempotencyMismatch: the key was used for another request.
    """
    return _by_key(tx, claim, now) if isinstance(claim, KeyClaim) else _by_chain(tx, claim, now)


def _by_key(tx: Transaction, claim: KeyClaim, now: float) -> str | None:
    row = tx.one(
        "SELECT fingerprint, made_id FROM idempotency_keys"
        " WHERE user_id = ? AND route = ? AND key = ? AND created_at > ?",
        (claim.user_id, claim.route, claim.key, now - KEY_LIFETIME),
    )
    if row is None:
        return None
    if row["fingerprint"] != claim.fingerprint:
        raise IdempotencyMismatch(
            "This Idempotency-Key was used for another request; send a new key with a new request."
        )
    return str(row["made_id"])


def _by_chain(tx: Transaction, claim: ResendClaim, now: float) -> str | None:
    # The try just before it, or else an earlier one: those between may not have reached us. Of several the newest,
    # because a client that has got an answer goes on to its next request.
    row = tx.one(
        "SELECT made_id FROM resends WHERE credential = ? AND fingerprint = ? AND count < ? AND at > ?"
        " ORDER BY count DESC, at DESC LIMIT 1",
        (claim.credential, claim.fingerprint, claim.count, now - RESEND_WINDOW),
    )
    if row is None:
        return None
    tx.execute("UPDATE resends SET count = ?, at = ? WHERE made_id = ?", (claim.count, now, row["made_id"]))
    return str(row["made_id"])


def record(tx: Transaction, claim: Claim, made_id: str, now: float) -> None:
    """Notes what *claim* made, and forgets what no claim can ask for any more: its key may be among that."""
    forget(tx, now)
    if isinstance(claim, KeyClaim):
        tx.execute(
            "INSERT INTO idempotency_keys (user_id, route, key, fingerprint, made_id, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (claim.user_id, claim.route, claim.key, claim.fingerprint, made_id, now),
        )
    else:
        tx.execute(
            "INSERT INTO resends (made_id, credential, fingerprint, count, at) VALUES (?, ?, ?, ?, ?)",
            (made_id, claim.credential, claim.fingerprint, claim.count, now),
        )


def forget(tx: Transaction, now: float) -> int:
    """Removes what no claim can ask for any more; how many it were."""
    keys = tx.execute("DELETE FROM idempotency_keys WHERE created_at <= ?", (now - KEY_LIFETIME,)).rowcount
    return keys + tx.execute("DELETE FROM resends WHERE at <= ?", (now - RESEND_WINDOW,)).rowcount


def release(tx: Transaction, made_id: str) -> None:
    """Lets the request that made *made_id* be sent anew: what it made is gone."""
    tx.execute("DELETE FROM idempotency_keys WHERE made_id = ?", (made_id,))
    tx.execute("DELETE FROM resends WHERE made_id = ?", (made_id,))
