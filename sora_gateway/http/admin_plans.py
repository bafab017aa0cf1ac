"""``/api/admin/plans`` and ``/api/admin/codes``: what people may have made, and what brings them credits and plans."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field
from starlette.responses import Response

from sora_gateway.accounts.codes import MOST, Worth
from sora_gateway.core.plans import DEFAULT, plan_of
from sora_gateway.core.views import Priority, View, iso
from sora_gateway.errors import Conflict, InvalidRequest, NotFound
from sora_gateway.http.admin_credits import BalanceView, balance_of
from sora_gateway.http.auditing import entry
from sora_gateway.http.credits import PlanView, plan_fields
from sora_gateway.http.people import ASKED
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.store.codes import CodeRecord
from sora_gateway.store.credits import MOST_CREDITS

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
MOST_DAYS = 3650

_Count = Annotated[int, Field(ge=0, le=MOST_CREDITS)]
_Moment = Annotated[AwareDatetime, Field(strict=False)]


class PutPlan(View):
    """A plan, as in ``[plans.NAME]``; what is left out is not limited. Limits of 0 are unlimited."""

    model_config = ASKED

    may_generate: bool = True
    monthly_credits: _Count = 0
    concurrency: _Count = 0
    per_hour: _Count = 0
    per_day: _Count = 0
    daily_credits: _Count = 0
    priority: Priority = "normal"
    keep_days: Annotated[int, Field(ge=0, le=36_500)] = Field(
        0, description="Days for which the files of their videos are kept; 0: as `retention.keep_days` says."
    )


class AnyPlan(PlanView):
    source: Literal["configuration", "added", "default"] = Field(
        description="One that is made here under a name of the configuration counts instead of that."
    )
    people: int = Field(description="So many were given it; everybody else has the default.")


class PlanList(View):
    plans: list[AnyPlan]


class GivePlan(View):
    model_config = ASKED

    plan: Annotated[str, Field(min_length=1, max_length=32)] | None = Field(
        description="Null is the default plan."
    )
    until: _Moment | None = Field(None, description="When the default plan follows; without, never.")


class CodeView(View):
    id: str
    prefix: str = Field(description="How the code begins.")
    credits: int
    plan: str | None
    plan_days: int | None = Field(description="Null is for ever.")
    uses_left: int
    note: str
    created_by: str = Field(description="A person's id, or `command line`.")
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class CodeList(View):
    codes: list[CodeView]


class NewCodeView(CodeView):
    code: str = Field(description="What people type; shown this once.")


class NewCodes(View):
    codes: list[NewCodeView]


class CreateCodes(View):
    """Codes that are each worth *credits*, a *plan*, or both."""

    model_config = ASKED

    count: Annotated[int, Field(ge=1, le=MOST)] = 1
    credits: _Count = 0
    plan: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    plan_days: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = Field(
        None, description="Without, the plan stays for ever."
    )
    uses: Annotated[int, Field(ge=1, le=MOST_CREDITS)] = Field(
        1, description="By so many different people; each of them once."
    )
    expires_at: _Moment | None = None
    note: Annotated[str, Field(max_length=300)] = ""


def _plan(call: Call, name: str) -> AnyPlan:
    plans = call.services.plans
    source = (
        "added"
        if plans.made_here(name)
        else "configuration"
        if name in call.services.settings.plans
        else "default"
    )
    return AnyPlan.model_validate(
        plan_fields(plans.known()[name]) | {"source": source, "people": plans.count(name)}
    )


async def list_plans(call: Call) -> PlanList:
    """Those of the configuration, and those that were made here."""
    return PlanList(plans=[_plan(call, name) for name in sorted(call.services.plans.known())])


async def put_plan(call: Call) -> AnyPlan:
    """Makes a plan, or changes one; it holds at once for everybody who has it."""
    name = call.path["name"]
    wish: PutPlan = call.body
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "A name has at most 32 lower-case letters, digits, dashes and underscores.", param="name"
        )
    settings = wish.model_dump()
    detail = ", ".join(f"{key} {value}" for key, value in settings.items())
    await call.services.plans.put(plan_of(name, settings), entry(call, "plan.put", f"plan {name}", detail))
    return _plan(call, name)


async def delete_plan(call: Call) -> Response:
    """Removes one that was made here; one of the configuration's under the same name counts again."""
    name = call.path["name"]
    await call.services.plans.remove(name, entry(call, "plan.remove", f"plan {name}"))
    return Response(status_code=204)


async def give_plan(call: Call) -> BalanceView:
    """Puts a person on a plan, for ever or until a moment."""
    wish: GivePlan = call.body
    user_id = (await balance_of(call, call.path["id"])).user_id
    until = None if wish.until is None else wish.until.timestamp()
    if until is not None and until <= call.services.clock.now():
        raise InvalidRequest("The plan would have ended already.", param="until")
    name = None if wish.plan == DEFAULT else wish.plan
    detail = (name or DEFAULT) + (f" until {iso(until)}" if until is not None else "")
    await call.services.plans.give(user_id, name, until, entry(call, "plan.give", user_id, detail))
    return await balance_of(call, user_id)


def _code_fields(record: CodeRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "prefix": record.prefix,
        "credits": record.credits,
        "plan": record.plan,
        "plan_days": record.plan_days,
        "uses_left": record.uses_left,
        "note": record.note,
        "created_by": record.created_by,
        "created_at": iso(record.created_at) or "",
        "expires_at": iso(record.expires_at),
        "revoked_at": iso(record.revoked_at),
    }


async def create_codes(call: Call) -> NewCodes:
    """Makes codes, all or none. What people type is in this answer and nowhere else."""
    wish: CreateCodes = call.body
    worth = Worth(
        wish.credits, wish.plan, wish.plan_days, wish.uses,
        None if wish.expires_at is None else wish.expires_at.timestamp(), wish.note,
    )  # fmt: skip
    made = await call.services.codes.create(wish.count, worth, entry(call, "code.create", ""))
    return NewCodes(
        codes=[NewCodeView.model_validate(_code_fields(code.record) | {"code": code.text}) for code in made]
    )


async def list_codes(call: Call) -> CodeList:
    """Newest first, with those that cannot be used any more."""
    records = await call.services.codes.all()
    return CodeList(codes=[CodeView.model_validate(_code_fields(record)) for record in records])


async def revoke_code(call: Call) -> Response:
    """Nobody can use it any more; what it gave stays given."""
    code_id = call.path["id"]
    await call.services.codes.revoke(code_id, entry(call, "code.revoke", code_id))
    return Response(status_code=204)


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/plans", handler=list_plans, summary="The plans",
        access=Access.ADMIN, tag="admin", response=PlanList,
    ),
    Endpoint(
        method="PUT", path="/api/admin/plans/{name}", handler=put_plan, summary="Make or change a plan",
        access=Access.ADMIN, tag="admin", request=PutPlan, response=AnyPlan,
    ),
    Endpoint(
        method="DELETE", path="/api/admin/plans/{name}", handler=delete_plan, summary="Remove a plan",
        access=Access.ADMIN, tag="admin", status=204, errors=(NotFound, Conflict),
    ),
    Endpoint(
        method="PUT", path="/api/admin/users/{id}/plan", handler=give_plan, summary="Put a person on a plan",
        access=Access.ADMIN, tag="admin", request=GivePlan, response=BalanceView, errors=(NotFound,),
    ),
    Endpoint(
        method="POST", path="/api/admin/codes", handler=create_codes, summary="Make redeem codes",
        access=Access.ADMIN, tag="admin", request=CreateCodes, response=NewCodes, status=201, errors=(NotFound,),
    ),
    Endpoint(
        method="GET", path="/api/admin/codes", handler=list_codes, summary="The redeem codes",
        access=Access.ADMIN, tag="admin", response=CodeList,
    ),
    Endpoint(
        method="DELETE", path="/api/admin/codes/{id}", handler=revoke_code, summary="Revoke a redeem code",
        access=Access.ADMIN, tag="admin", status=204, errors=(NotFound,),
    ),
]  # fmt: skip
