"""What a request does, as the audit log has it: with the client's address and the answer's request id."""

from __future__ import annotations

from sora_gateway.core.actor import Actor
from sora_gateway.http.routing import Call
from sora_gateway.store import audit
from sora_gateway.store.audit import AuditEntry


def entry(call: Call, action: str, target: str, detail: str = "", actor: str | None = None) -> AuditEntry:
    """For the transaction that does it.

    *target* is an id, alone or behind the kind of thing (``upstream lab``); *detail* is for people and holds no
    secrets. *actor* is the caller's id without; where nobody is signed in yet, say who it turned out to be.
    """
    return audit.entry(actor_of(call, actor), call.services.clock.now(), action, target, detail)


def actor_of(call: Call, actor: str | None = None) -> Actor:
    """Who makes the request, and from where: for parts that write the entry themselves."""
    return Actor(call.caller.user_id if actor is None else actor, client_address(call), call.request_id)


def client_address(call: Call) -> str:
    """Where the request came from, by a trusted proxy's word if there is one; empty if nobody knows."""
    client = call.request.client
    return client.host if client is not None else ""
