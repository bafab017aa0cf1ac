"""What a request does, as the audit log has it: with the client's address and the answer's request id."""

from __future__ import annotations

from sora_gateway.http.routing import Call
from sora_gateway.store.audit import AuditEntry


def entry(call: Call, action: str, target: str, detail: str = "", actor: str | None = None) -> AuditEntry:
    """For the transaction that does it.

    *target* is an id, alone or behind the kind of thing (``upstream lab``); *detail* is for people and holds no
    secrets. *actor* is the caller's id without; where nobody is signed in yet, say who it turned out to be.
    """
    return AuditEntry(
        at=call.services.clock.now(),
        actor=call.caller.user_id if actor is None else actor,
        action=action,
        target=target,
        detail=detail,
        address=client_address(call),
        request_id=call.request_id,
    )


def client_address(call: Call) -> str:
    """Where the request came from, by a trusted proxy's word if there is one; empty if nobody knows."""
    client = call.request.client
    return client.host if client is not None else ""
