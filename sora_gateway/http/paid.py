"""A paid request that is sent again gets what it made before, however it says that it is the same.

``Idempotency-Key`` says it by name. Official clients say it by counting their tries (``x-stainless-retry-count``)
and send no key: a lost answer would otherwise become a second paid video.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from sora_gateway.core.claim import Claim, KeyClaim, ResendClaim
from sora_gateway.core.fair_queue import Lane
from sora_gateway.core.job import Job
from sora_gateway.errors import InvalidRequest, PlanForbids
from sora_gateway.http.fingerprint import fingerprint
from sora_gateway.http.routing import Call
from sora_gateway.http.services import Services
from sora_gateway.supervisor import Order

KEY_HEADER = "idempotency-key"
TRY_HEADER = "x-stainless-retry-count"

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_COUNT = re.compile(r"[0-9]{1,3}")


async def paid(call: Call, order: Callable[[], Awaitable[Order]]) -> Job:
    """The job that this request makes, or made when it was sent before. *order* is asked for only once it is new.

    Raises:
        InvalidRequest: the key is no key, or *order* refuses the wish.
        IdempotencyMismatch: the key was used for another request.
    """

    async def orders() -> Sequence[Order]:
        return [await order()]

    return (await _paid(call, orders, batch=False))[0]


async def paid_together(call: Call, orders: Callable[[], Awaitable[Sequence[Order]]]) -> list[Job]:
    """The same for a batch: all of *orders*, or none. Raises what :func:`paid` does."""
    return await _paid(call, orders, batch=True)


async def _paid(call: Call, orders: Callable[[], Awaitable[Sequence[Order]]], *, batch: bool) -> list[Job]:
    services, user_id = call.services, call.caller.user_id
    claim = await claim_of(call)
    async with services.tries.turn(claim):
        earlier = await _earlier(services, claim)
        if earlier:
            return earlier
        wanted = await _planned(services, user_id, orders, batch=batch)
        allowance = services.plans.allowance(user_id)
        if batch:
            return await services.supervisor.accept_together(wanted, claim, allowance, batch=True)
        return [await services.supervisor.accept(wanted[0], claim, allowance)]


def plan_refusal(services: Services, user_id: str) -> PlanForbids | None:
    """What somebody is told whose plan lets nobody have videos made; None for everybody else."""
    if services.plans.of(user_id).may_generate:
        return None
    return PlanForbids("Your plan does not include making videos; redeem a code, or ask an administrator.")


async def _planned(
    services: Services, user_id: str, orders: Callable[[], Awaitable[Sequence[Order]]], *, batch: bool
) -> Sequence[Order]:
    """The orders with the priority that their owner's plan gives them; a batch comes last, unless the plan is for
    those who never wait.

    Raises:
        PlanForbids: the plan lets nobody have videos made; *orders* are not even asked for.
    """
    forbidden = plan_refusal(services, user_id)
    if forbidden is not None:
        raise forbidden
    plan = services.plans.of(user_id)
    lane = Lane.BATCH if batch and plan.lane is not Lane.VIP else plan.lane
    return [replace(order, lane=lane) for order in await orders()]


async def _earlier(services: Services, claim: Claim | None) -> list[Job] | None:
    """What an earlier sending made, looked up before anything of the wish is checked or fetched again."""
    if claim is None or (isinstance(claim, ResendClaim) and claim.count == 0):
        return None
    made = await services.store.made_by(claim, services.clock.now())
    return None if made is None else await services.store.made(made)


async def claim_of(call: Call) -> Claim | None:
    """How this request would be known again; None when it says nothing.

    Raises:
        InvalidRequest: the key is empty, too long or not plain ASCII, or there are two.
    """
    headers, caller = call.request.headers, call.caller
    keys = set(headers.getlist(KEY_HEADER))
    if len(keys) > 1:
        # Whichever counted, somebody between the client and us may have meant the other.
        raise InvalidRequest("Two different Idempotency-Keys were sent; send one.", param="Idempotency-Key")
    if keys:
        key = keys.pop()
        if not _KEY.fullmatch(key):
            raise InvalidRequest(
                "An Idempotency-Key has 1 to 255 visible ASCII characters.", param="Idempotency-Key"
            )
        return KeyClaim(
            caller.user_id, call.route, key, await fingerprint(call.request.scope["path"], call.fields)
        )
    count = headers.get(TRY_HEADER, "")
    if caller.via != "key" or not _COUNT.fullmatch(count):
        return None
    return ResendClaim(
        caller.credential, await fingerprint(call.request.scope["path"], call.fields), int(count)
    )
