"""A paid request that is sent again gets what it made before, however it says that it is the same.

``Idempotency-Key`` says it by name. Official clients say it by counting their tries (``x-stainless-retry-count``)
and send no key: a lost answer would otherwise become a second paid video.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from sora_gateway.core.claim import Claim, KeyClaim, ResendClaim
from sora_gateway.core.job import Job, JobId
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
    services = call.services
    claim = await claim_of(call)
    async with services.tries.turn(claim):
        earlier = await _earlier(services, claim)
        if earlier is not None:
            return earlier
        wanted = await planned(services, call.caller.user_id, order)
        return await services.supervisor.accept(wanted, claim, services.plans.allowance(wanted.owner))


async def planned(services: Services, user_id: str, order: Callable[[], Awaitable[Order]]) -> Order:
    """The order with the priority that its owner's plan gives it.

    Raises:
        PlanForbids: the plan lets nobody have videos made; *order* is not even asked for.
    """
    plan = services.plans.of(user_id)
    if not plan.may_generate:
        raise PlanForbids("Your plan does not include making videos; redeem a code, or ask an administrator.")
    return replace(await order(), lane=plan.lane)


async def _earlier(services: Services, claim: Claim | None) -> Job | None:
    """What an earlier sending made, looked up before anything of the wish is checked or fetched again."""
    if claim is None or (isinstance(claim, ResendClaim) and claim.count == 0):
        return None
    made = await services.store.made_by(claim, services.clock.now())
    return None if made is None else await services.store.get(JobId(made))


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
