"""How a request says that it is an earlier one: by which headers, and what happens when they say two things."""

from __future__ import annotations

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from sora_gateway.core.claim import KeyClaim, ResendClaim
from sora_gateway.http.paid import claim_of
from sora_gateway.http.routing import Access, Call, Endpoint
from tests.http_calls import application, client_of


async def tell(call: Call) -> Response:
    match await claim_of(call):
        case KeyClaim(user_id=user, key=key):
            return JSONResponse([user, key])
        case ResendClaim(credential=credential, count=count):
            return JSONResponse([credential, count])
        case None:
            return JSONResponse(None)


async def sent(*headers: tuple[str, str]) -> httpx.Response:
    endpoint = Endpoint(
        method="POST", path="/videos", handler=tell, summary="", access=Access.MEMBER, tag="t", paid=True
    )
    async with client_of(application([endpoint]), authorization="Bearer member") as client:
        return await client.post("/videos", headers=list(headers))


async def test_a_key_is_looked_at_before_a_count() -> None:
    count = ("X-Stainless-Retry-Count", "1")
    assert (await sent(("Idempotency-Key", "k1"), count)).json() == ["user_member", "k1"]
    assert (await sent(count)).json() == ["member-credential", 1]
    assert (await sent()).json() is None


@pytest.mark.parametrize("second", ["k2", "K1", "", "k1,k2"])
async def test_two_different_keys_are_refused(second: str) -> None:
    answer = await sent(("Idempotency-Key", "k1"), ("idempotency-key", second))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "Idempotency-Key"
    assert answer.json()["error"]["message"] == "Two different Idempotency-Keys were sent; send one."


async def test_the_same_key_twice_is_one_key() -> None:
    answer = await sent(("Idempotency-Key", "k1"), ("Idempotency-Key", "k1"))
    assert answer.json() == ["user_member", "k1"]
