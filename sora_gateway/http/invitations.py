"""``/api/admin/invitations``: links by which people make their own accounts, without a mail server."""

from __future__ import annotations

import contextlib
from typing import Annotated

from pydantic import Field
from starlette.responses import Response

from sora_gateway.accounts.address import MAX_ADDRESS
from sora_gateway.accounts.authenticator import INVITATION_LIFETIME
from sora_gateway.core.principal import Role
from sora_gateway.core.views import View, iso
from sora_gateway.errors import Conflict, InvalidRequest, NotFound
from sora_gateway.http.auditing import actor_of, entry
from sora_gateway.http.one_time_links import address_of
from sora_gateway.http.people import ASKED
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.store.links import LinkRecord

LONGEST = 30 * 86400


class CreateInvitation(View):
    model_config = ASKED

    email: Annotated[str, Field(min_length=1, max_length=MAX_ADDRESS)] | None = Field(
        None, description="The one address that it is for; without it, whoever has the link may use it once."
    )
    role: Role = "member"
    expires_in: Annotated[int, Field(ge=60, le=LONGEST)] = Field(
        int(INVITATION_LIFETIME), description="Seconds; a week."
    )


class InvitationView(View):
    id: str
    email: str | None = Field(description="The one address that it is for; null for anybody's.")
    role: Role = Field(description="What it makes of them.")
    created_by: str = Field(description="A person's id, or `command line`.")
    created_at: str
    expires_at: str


class NewInvitation(InvitationView):
    url: str = Field(description="For whom it is meant, and nobody else.")
    token: str = Field(description="What the address has behind `=`; shown this once.")


class InvitationList(View):
    invitations: list[InvitationView]


def _view(link: LinkRecord) -> InvitationView:
    return InvitationView(
        id=link.id,
        email=link.email,
        role=link.role or "member",
        created_by=link.created_by,
        created_at=iso(link.created_at) or "",
        expires_at=iso(link.expires_at) or "",
    )


async def list_invitations(call: Call) -> InvitationList:
    """Those that can still be used, newest first."""
    found = await call.services.store.administration.invitations(call.services.clock.now())
    return InvitationList(invitations=[_view(link) for link in found])


async def create_invitation(call: Call) -> NewInvitation:
    """A link by which somebody makes an account, once; its text is shown this once."""
    wish: CreateInvitation = call.body
    if wish.email is not None:
        with contextlib.suppress(NotFound):
            known = await call.services.store.people.by_email(wish.email.strip())
            raise Conflict(f"There is already a person with the address {known.email}.")
    token, link = await call.services.accounts.new_invitation(
        wish.email, wish.role, actor_of(call), float(wish.expires_in)
    )
    return NewInvitation(**dict(_view(link)), url=address_of(call, "invite", token), token=token)


async def withdraw_invitation(call: Call) -> Response:
    """Nobody makes an account by it any more."""
    link_id = call.path["id"]
    await call.services.store.administration.withdraw(link_id, entry(call, "link.withdraw", link_id))
    return Response(status_code=204)


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/admin/invitations", handler=list_invitations, summary="Open invitations",
        access=Access.ADMIN, tag="admin", response=InvitationList,
    ),
    Endpoint(
        method="POST", path="/api/admin/invitations", handler=create_invitation, summary="Invite somebody",
        access=Access.ADMIN, tag="admin", request=CreateInvitation, response=NewInvitation, status=201,
        errors=(InvalidRequest, Conflict),
    ),
    Endpoint(
        method="DELETE", path="/api/admin/invitations/{id}", handler=withdraw_invitation, summary="Take an invitation back",
        access=Access.ADMIN, tag="admin", status=204, errors=(NotFound,),
    ),
]  # fmt: skip
