"""What an operator can do, by name: over the control socket of a running gateway, or on the data directory itself.

Every operation takes :class:`Services` and plain values, and returns what JSON can hold, so that both ways
give the same answer. Whoever may call them is the operator; they ask for no other right.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

from sora_gateway.accounts.authenticator import (
    INVITATION_LIFETIME,
    LINK_LIFETIME,
    RESET_LIFETIME,
    Authenticator,
    checked_address,
)
from sora_gateway.accounts.codes import Codes
from sora_gateway.accounts.passwords import Passwords
from sora_gateway.accounts.plans import Plans
from sora_gateway.clock import Clock
from sora_gateway.core.actor import COMMAND_LINE
from sora_gateway.core.job import ExternalId, Job, JobId
from sora_gateway.core.principal import FOR_PROGRAMS, Role, Scope
from sora_gateway.core.wire import iso
from sora_gateway.entropy import Entropy
from sora_gateway.errors import Conflict, InvalidRequest, NotFound, Unavailable
from sora_gateway.operations_credits import CREDITS
from sora_gateway.operations_storage import storage_check
from sora_gateway.oversight import audit_list, settings_changed
from sora_gateway.retention.reconciler import Reconciler
from sora_gateway.signing_keys import KeyRing
from sora_gateway.store import Store, audit
from sora_gateway.store.accounts import KeyRecord, UserRecord
from sora_gateway.store.audit import AuditEntry
from sora_gateway.store.doubts import Doubt
from sora_gateway.supervisor.charges import Charges
from sora_gateway.supervisor.decisions import Adopt, Decision, GiveUp, LookAgain, PayAgain
from sora_gateway.supervisor.search import Finding

LOCAL_SESSION = 12 * 3600.0
"""Seconds for which the command line on this machine is signed in."""
LOOKING = 45.0
"""Seconds for which the command line waits for a look at an upstream."""
LOCAL_USER = "local@localhost"
"""Who owns the videos that the command line asks for while there is no administrator yet."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that operations work on. *address* is the running gateway's base URL, None without one."""

    store: Store
    authenticator: Authenticator
    passwords: Passwords
    clock: Clock
    entropy: Entropy
    decide: Callable[[JobId, Decision], Awaitable[Job]]
    ring: KeyRing
    plans: Plans
    codes: Codes
    charges: Charges
    reconciler: Reconciler
    starting_balance: Callable[[], int] = lambda: 0
    address: str | None = None
    finding: Callable[[Job], Finding | None] = lambda _: None
    """What the latest look for a doubtful job came to."""


Result = Mapping[str, Any] | list[Mapping[str, Any]] | None

# --- people ------------------------------------------------------------------------------------------


async def user_create(services: Services, email: str, role: Role, password: str | None) -> Result:
    """Raises Conflict if the address is taken, InvalidRequest for a bad address, role or password."""
    _check_role(role)
    address = checked_address(email)
    password_hash = None if password is None else await services.passwords.hash(password, address)
    user_id = services.entropy.new_id("user")
    await services.store.people.create_user(
        user_id, address, role, password_hash, services.starting_balance(), services.clock.now(),
        _entry(services, "user.create", user_id, f"{role} {address}"),
    )  # fmt: skip
    return {"id": user_id, "email": address, "role": role}


async def user_list(services: Services) -> Result:
    return [_user(user) for user in await services.store.people.users()]


async def user_set_password(services: Services, email: str, password: str) -> Result:
    """Ends the person's sessions and links. Raises NotFound, or InvalidRequest for a bad password."""
    user = await services.store.people.by_email(email)
    entry = _entry(services, "user.set_password", user.id)
    hashed = await services.passwords.hash(password, user.email)
    await services.store.people.set_password(user.email, hashed, entry)
    services.authenticator.revoked(user.id)
    return None


async def user_disable(services: Services, email: str) -> Result:
    """Ends the person's sessions and links; their keys stop working. Raises NotFound."""
    user = await services.store.people.by_email(email)
    entry = _entry(services, "user.disable", user.id)
    await services.store.people.disable_user(user.email, services.clock.now(), entry)
    services.authenticator.revoked(user.id)
    return None


async def user_enable(services: Services, email: str) -> Result:
    """The person may sign in again, and their keys work. Raises NotFound."""
    user = await services.store.people.by_email(email)
    await services.store.people.enable_user(user.email, _entry(services, "user.enable", user.id))
    return None


async def user_link(services: Services, email: str) -> Result:
    """A one-time sign-in link: ``token``, ``expires_at`` and the running gateway's ``address``.

    Raises NotFound, or Conflict for a disabled person.
    """
    await _enabled(services, email)
    token = await services.authenticator.new_login_link(email, COMMAND_LINE)
    return _link(services, token, LINK_LIFETIME)


async def user_reset(services: Services, email: str) -> Result:
    """A one-time link by which a person sets a new password, as :func:`user_link` gives it. Raises the same."""
    await _enabled(services, email)
    token = await services.authenticator.new_reset_link(email, COMMAND_LINE)
    return _link(services, token, RESET_LIFETIME)


async def user_invite(services: Services, email: str | None, role: Role) -> Result:
    """An invitation for one address, or for whoever has it, as :func:`user_link` gives it.

    Raises InvalidRequest for a bad address or role, Conflict if the address has an account.
    """
    _check_role(role)
    if email is not None:
        with contextlib.suppress(NotFound):
            known = await services.store.people.by_email(checked_address(email))
            raise Conflict(f"There is already a person with the address {known.email}.")
    token, _ = await services.authenticator.new_invitation(email, role, COMMAND_LINE)
    return _link(services, token, INVITATION_LIFETIME)


def _link(services: Services, token: str, lifetime: float) -> Result:
    return {
        "token": token,
        "address": services.address,
        "expires_at": iso(services.clock.now() + lifetime),
    }


def _check_role(role: str) -> None:
    if role not in get_args(Role):
        raise InvalidRequest(f"The role is one of {', '.join(get_args(Role))}.", param="role")


async def session_local(services: Services) -> Result:
    """A session for the command line on this machine: the first administrator's.

    Without one, that of a member made for it: making an administrator would void the link that ``serve`` printed.
    """
    active = [user for user in await services.store.people.users() if user.disabled_at is None]
    users = [user for user in active if user.role == "admin"] or [
        user for user in active if user.email == LOCAL_USER
    ]
    now = services.clock.now()
    if users:
        user_id = users[0].id
    else:
        user_id = services.entropy.new_id("user")
        await services.store.people.create_user(
            user_id, LOCAL_USER, "member", None, services.starting_balance(), now
        )
    token = await services.authenticator.new_session(user_id, LOCAL_SESSION)
    return {"token": token, "address": services.address}


# --- keys --------------------------------------------------------------------------------------------


async def key_create(
    services: Services,
    email: str,
    name: str,
    scopes: list[str] | None = None,
    expires_in: float | None = None,
) -> Result:
    """A new API key, shown this once; *expires_in* seconds, None for one that does not end by itself.

    Raises NotFound for an unknown address, Conflict for a disabled person, InvalidRequest for a bad name or scope.
    """
    user = await _enabled(services, email)
    unknown = set(scopes or ()) - set(Scope)
    if unknown:
        raise InvalidRequest(f"The scopes are {', '.join(Scope)}.", param="scopes")
    wanted = FOR_PROGRAMS if scopes is None else frozenset(map(Scope, scopes))
    expires_at = None if expires_in is None else services.clock.now() + expires_in
    text, record = await services.authenticator.create_key(user.id, name, wanted, expires_at, COMMAND_LINE)
    return {"key": text, "id": record.id}


async def key_list(services: Services, email: str | None) -> Result:
    """Keys in use, one person's or everybody's. Raises NotFound for an unknown address."""
    user_id = None if email is None else (await services.store.people.by_email(email)).id
    owners = {user.id: user.email for user in await services.store.people.users()}
    return [_key(key, owners[key.user_id]) for key in await services.store.people.keys(user_id)]


async def key_revoke(services: Services, key_id: str) -> Result:
    """Raises NotFound unless the key exists and is in use."""
    await services.authenticator.revoke_key(None, key_id, COMMAND_LINE)
    return None


async def signing_key_rotate(services: Services) -> Result:
    """A new key signs from now on; what is signed already stays good."""
    key = services.ring.rotate()
    await _note_key(services, "signing_key.rotate", key.id)
    return {"id": key.id}


async def signing_key_list(services: Services) -> Result:
    """Oldest first. The keys themselves are not shown."""
    keys = services.ring.keys
    return [
        {"id": key.id, "created_at": iso(key.created_at or None), "signs": key is keys[-1]} for key in keys
    ]


async def signing_key_drop(services: Services, key_id: str) -> Result:
    """Raises NotFound, or Conflict for the key that signs."""
    services.ring.drop(key_id)
    await _note_key(services, "signing_key.drop", key_id)
    return None


async def _note_key(services: Services, action: str, key_id: str) -> None:
    entry = audit.entry(COMMAND_LINE, services.clock.now(), action, f"signing key {key_id}")
    await services.store.audit(entry)


# --- jobs whose outcome is unknown ----------------------------------------------------------------------


async def unknown_list(services: Services) -> Result:
    """Jobs in doubt, oldest first, with what is known of the create and what the search for it has come to."""
    return [_doubt(doubt, services.finding(doubt.job)) for doubt in await services.store.doubts()]


async def unknown_look(services: Services, job_id: str) -> Result:
    """Has a running gateway look for it now; ``note`` says what that came to.

    Raises NotFound, Conflict if the job is not in doubt or there is nothing to look at, Unavailable without a gateway.
    """
    looking = asyncio.ensure_future(services.decide(JobId(job_id), LookAgain()))
    await asyncio.wait({looking}, timeout=LOOKING)
    if not looking.done():
        # It goes on; whatever it comes to is in the job.
        looking.add_done_callback(lambda task: task.cancelled() or task.exception())
        raise Unavailable("The upstream takes its time; `unknown list` will say what the look came to.")
    job = looking.result()
    return {"id": job.id, "state": job.state.value, "note": job.note}


async def unknown_adopt(services: Services, job_id: str, external_id: str) -> Result:
    """Raises NotFound, Conflict if the job is not in doubt or the id is another job's, InvalidRequest if it is no id."""
    return await _decide(services, job_id, Adopt(ExternalId(external_id)))


async def unknown_pay_again(services: Services, job_id: str) -> Result:
    """Raises NotFound, or Conflict if the job is not in doubt."""
    return await _decide(services, job_id, PayAgain())


async def unknown_give_up(services: Services, job_id: str) -> Result:
    """Raises NotFound, or Conflict if the job is not in doubt."""
    return await _decide(services, job_id, GiveUp())


async def status(services: Services) -> Result:
    """Where the gateway listens, and whether anybody can administer it."""
    return {"address": services.address, "has_admin": await services.store.people.has_admin()}


Operation = Callable[..., Awaitable[Result]]
OPERATIONS: Mapping[str, Operation] = {
    "user.create": user_create,
    "user.list": user_list,
    "user.set_password": user_set_password,
    "user.disable": user_disable,
    "user.enable": user_enable,
    "user.link": user_link,
    "user.reset": user_reset,
    "user.invite": user_invite,
    "key.create": key_create,
    "key.list": key_list,
    "key.revoke": key_revoke,
    "signing_key.rotate": signing_key_rotate,
    "signing_key.list": signing_key_list,
    "signing_key.drop": signing_key_drop,
    "unknown.list": unknown_list,
    "unknown.look": unknown_look,
    "unknown.adopt": unknown_adopt,
    "unknown.pay_again": unknown_pay_again,
    "unknown.give_up": unknown_give_up,
    "audit.list": audit_list,
    "settings.changed": settings_changed,
    "storage.check": storage_check,
    "session.local": session_local,
    "status": status,
    **CREDITS,
}


def commands(services: Services) -> dict[str, Operation]:
    """The operations on *services*, ready for the control socket."""
    return {name: partial(operation, services) for name, operation in OPERATIONS.items()}


async def _decide(services: Services, job_id: str, decision: Decision) -> Result:
    job = await services.decide(JobId(job_id), decision)
    return {"id": job.id, "state": job.state.value}


async def _enabled(services: Services, email: str) -> UserRecord:
    user = await services.store.people.by_email(email)
    if user.disabled_at is not None:
        raise Conflict(f"{email} is disabled: neither links nor keys work.")
    return user


def _entry(services: Services, action: str, target: str, detail: str = "") -> AuditEntry:
    return audit.entry(COMMAND_LINE, services.clock.now(), action, target, detail)


def _user(user: UserRecord) -> Mapping[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "role": user.role,
        "available": user.available,
        "held": user.held,
        "created_at": iso(user.created_at),
        "disabled_at": iso(user.disabled_at),
    }


def _key(key: KeyRecord, email: str) -> Mapping[str, Any]:
    return {
        "id": key.id,
        "email": email,
        "name": key.name,
        "prefix": key.prefix,
        "created_at": iso(key.created_at),
        "last_used_at": iso(key.last_used_at),
        "scopes": sorted(key.scopes),
        "expires_at": iso(key.expires_at),
    }


def _doubt(doubt: Doubt, finding: Finding | None) -> Mapping[str, Any]:
    job = doubt.job
    return {
        "id": job.id,
        # The create went out with it as X-Client-Request-Id: an upstream's own log may know it.
        "attempt_id": doubt.attempt_id,
        "email": doubt.email,
        "upstream": job.upstream,
        "model": job.upstream_model,
        "submitted_at": iso(job.submitted_at),
        "credits": job.credits,
        "reason": job.note,
        "candidates": [row.external_id for row in finding.verdict.candidates] if finding else [],
        "prompt": job.prompt[:80],
    }
