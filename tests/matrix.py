"""Who may do what: a table of rights, and a row for every route that says which of them it takes.

A route without a row fails ``tests/test_owners.py``, and so does a row without a route. What is tried with it, by whom
and on what, is in ``tests/callers.py`` and ``tests/team.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sora_gateway.core.principal import Scope
from tests.sample_videos import sample_mp4

SECRET = "a paper boat that only Ann may see"
SHOWN = "a paper kite that the team may see"
RECEIVER = "http://127.0.0.1:9/hook"
"""Where nobody listens; :func:`tests.team.team` allows it."""
BLACK = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"
"""An image of one pixel."""


class Right(StrEnum):
    """What a route asks for; each is a row of :data:`WHO_MAY`."""

    OPEN = "open"
    """Anybody may, and no credential is looked at."""
    MINE = "mine"
    """About the caller: a list of what they may see, or their account."""
    MAKE = "make"
    """Makes something that is the caller's."""
    LOOK = "look"
    """Shows one thing of somebody's."""
    FILE = "file"
    """The same for a file that a signed address opens too, so that strangers are not sent away to sign in."""
    COPY = "copy"
    """Makes something of the caller's from one thing of somebody's."""
    CHANGE = "change"
    """Changes or ends one thing of somebody's, or passes it on."""
    OWN = "own"
    """One thing of an account, which is nobody else's business."""
    ADMINISTER = "administer"


WHO_MAY = """
             owner  admin  member  viewer  member  viewer  other  nobody
                            (the team's)    (private)      scope
open           ok     ok     ok      ok      ok      ok     ok      ok
mine           ok     ok     ok      ok      ok      ok     403    401
make           ok     ok     ok      403     ok      403    403    401
look           ok     ok     ok      ok      404     404    403    401
file           ok     ok     ok      ok      404     404    404    404
copy           ok     ok     ok      403     404     403    403    401
change         ok     ok     403     403     404     403    403    401
own            ok     404    404     404     404     404    403    401
administer     404    ok     404     404     404     404    403    401
"""
"""By what one is to the thing: its owner, an administrator, or one of the others, to whom its owner shows it or does not;
somebody whose key is for something else; and nobody. What does not exist is as private as can be. Where it is about no
thing, owner and member are the same."""

_NEEDS = {
    Right.OPEN: None,
    Right.MINE: Scope.READ,
    Right.LOOK: Scope.READ,
    Right.FILE: Scope.READ,
    Right.MAKE: Scope.WRITE,
    Right.COPY: Scope.WRITE,
    Right.CHANGE: Scope.WRITE,
    Right.OWN: Scope.ACCOUNT,
    Right.ADMINISTER: Scope.ADMIN,
}


class Thing(StrEnum):
    """What the id in a path or a body is of."""

    JOB = "video"
    BATCH = "videos that were made together"
    TEMPLATE = "template"
    IMAGE = "saved image"
    CHARACTER = "character"
    KEY = "API key"
    SESSION = "sign-in"
    IDENTITY = "identity at a provider"
    WEBHOOK = "webhook"
    DELIVERY = "message to a webhook"


@dataclass(frozen=True)
class Row:
    right: Right
    thing: Thing | None = None
    status: int = 200
    """What whoever may is answered."""
    body: dict[str, Any] | None = None
    """With ``{id}`` in the place of the thing's id, and ``{new}`` in that of what was never there."""
    form: dict[str, str | bytes] | None = None
    """The same for what takes forms only, with files as bytes."""
    query: str = ""
    """What comes after the path, with ``{id}`` too."""
    job: str = "done"
    """Which video it works on: ``done``, ``running`` or ``ended``."""
    name: str = ""
    """What is asked for where it is no thing of Ann's but has a name."""
    scope: Scope | None = None
    """What a key must be for, where that does not follow from the right."""
    by_session: int | None = None
    """What whoever may is answered in a browser, where it is something else."""

    @property
    def needs(self) -> Scope | None:
        return self.scope or _NEEDS[self.right]


MATRIX = {
    # --- videos -------------------------------------------------------------------------------------
    "GET /api/models": Row(Right.MINE),
    "GET /api/outages": Row(Right.MINE),
    "GET /api/video/stats": Row(Right.MINE),
    "GET /api/video/facets": Row(Right.MINE),
    "POST /api/video/tasks": Row(Right.MAKE, status=202, body={"prompt": "a boat"}),
    "GET /api/video/tasks": Row(Right.MINE),
    "GET /api/video/tasks/{id}": Row(Right.LOOK, Thing.JOB),
    "GET /api/video/tasks/{id}/events": Row(Right.LOOK, Thing.JOB),
    # Creates and credits are left out for whoever may only look; tests/test_task_details.py.
    "GET /api/video/tasks/{id}/details": Row(Right.LOOK, Thing.JOB),
    "GET /api/video/tasks/{id}/stream": Row(Right.LOOK, Thing.JOB),
    "GET /api/video/tasks/{id}/content": Row(Right.FILE, Thing.JOB),
    "POST /api/video/tasks/{id}/cancel": Row(Right.CHANGE, Thing.JOB, job="running"),
    "POST /api/video/tasks/{id}/retry": Row(Right.COPY, Thing.JOB, status=202, job="ended"),
    "POST /api/video/tasks/{id}/remix": Row(Right.COPY, Thing.JOB, status=202, body={"prompt": "a boat"}),
    "POST /api/video/tasks/{id}/refresh-url": Row(Right.LOOK, Thing.JOB),
    "POST /api/video/tasks/{id}/visibility": Row(Right.CHANGE, Thing.JOB, body={"visibility": "private"}),
    "POST /api/video/tasks/{id}/shares": Row(Right.CHANGE, Thing.JOB, status=201, body={}),
    # Links open files to anybody: who may not hand them out does not see them either.
    "GET /api/video/tasks/{id}/shares": Row(Right.CHANGE, Thing.JOB, scope=Scope.READ),
    "DELETE /api/video/tasks/{id}/shares/{share}": Row(Right.CHANGE, Thing.JOB, status=204),
    # There is no such link here; tests/test_owners_files.py has one.
    "GET /api/shared/{token}": Row(Right.OPEN, status=404),
    "GET /api/shared/{token}/content": Row(Right.OPEN, status=404),
    "DELETE /api/video/tasks/{id}": Row(Right.CHANGE, Thing.JOB, status=204, job="ended"),
    "POST /api/references": Row(Right.MAKE, status=201, body={"imageUrl": BLACK, "name": "a face"}),
    "GET /api/references": Row(Right.MINE),
    "POST /api/references/preview": Row(Right.MAKE, body={"imageUrl": BLACK, "size": "8x8"}),
    "GET /api/references/{id}": Row(Right.LOOK, Thing.IMAGE),
    "GET /api/references/{id}/content": Row(Right.LOOK, Thing.IMAGE),
    "DELETE /api/references/{id}": Row(Right.CHANGE, Thing.IMAGE, status=204),
    "GET /api/events/stream": Row(Right.MINE),
    "POST /api/stream-tickets": Row(Right.MINE, status=201),
    # --- credits ------------------------------------------------------------------------------------
    "POST /api/video/quote": Row(Right.MAKE, body={"seconds": 4}, scope=Scope.READ),
    "GET /api/credits": Row(Right.MINE),
    "GET /api/credits/ledger": Row(Right.MINE, scope=Scope.ACCOUNT),
    "GET /api/credits/ledger.csv": Row(Right.MINE, scope=Scope.ACCOUNT),
    "GET /api/credits/usage": Row(Right.MINE),
    # This has not even the form of one: wrong ones would lock whoever tries them. tests/test_codes.py has good ones.
    "POST /api/credits/redeem": Row(Right.MINE, status=400, body={"code": "none"}, scope=Scope.ACCOUNT),
    # --- many videos, templates, tags ---------------------------------------------------------------
    "POST /api/video/tasks/batch": Row(Right.MAKE, status=202, body={"prompts": "a boat"}),
    "GET /api/video/batches/{id}": Row(Right.LOOK, Thing.BATCH),
    # What it can be done to is said for each: tests/test_owners_lists.py.
    "POST /api/video/tasks/bulk": Row(Right.MAKE, body={"action": "cancel", "ids": ["video_none"]}),
    "GET /api/video/tasks/archive": Row(Right.LOOK, Thing.JOB, query="?ids={id}"),
    "POST /api/video/tasks/archive": Row(Right.LOOK, Thing.JOB, body={"ids": ["{id}"]}),
    "GET /api/video/tags": Row(Right.MINE),
    "PUT /api/video/tasks/{id}/tags": Row(Right.CHANGE, Thing.JOB, body={"tags": ["new"]}),
    "GET /api/templates": Row(Right.MINE),
    "POST /api/templates": Row(Right.MAKE, status=201, body={"name": "a face", "prompt": "a {animal}"}),
    "GET /api/templates/{id}": Row(Right.LOOK, Thing.TEMPLATE),
    "PUT /api/templates/{id}": Row(
        Right.CHANGE, Thing.TEMPLATE, body={"name": "a face", "prompt": "a {animal}"}
    ),
    "DELETE /api/templates/{id}": Row(Right.CHANGE, Thing.TEMPLATE, status=204),
    # --- as OpenAI has it ---------------------------------------------------------------------------
    "POST /v1/videos": Row(Right.MAKE, body={"prompt": "a boat"}),
    "GET /v1/videos": Row(Right.MINE),
    "GET /v1/videos/{id}": Row(Right.LOOK, Thing.JOB),
    "DELETE /v1/videos/{id}": Row(Right.CHANGE, Thing.JOB, job="ended"),
    "GET /v1/videos/{id}/content": Row(Right.LOOK, Thing.JOB),
    "POST /v1/videos/{id}/remix": Row(Right.COPY, Thing.JOB, body={"prompt": "a boat"}),
    "POST /v1/videos/edits": Row(Right.COPY, Thing.JOB, body={"prompt": "a boat", "video": {"id": "{id}"}}),
    "POST /v1/videos/extensions": Row(
        Right.COPY, Thing.JOB, body={"prompt": "a boat", "seconds": 4, "video": {"id": "{id}"}}
    ),
    "POST /v1/videos/characters": Row(Right.MAKE, form={"name": "a face", "video": sample_mp4()}),
    "GET /v1/videos/characters/{id}": Row(Right.LOOK, Thing.CHARACTER),
    "GET /v1/models": Row(Right.MINE),
    "GET /v1/models/{id}": Row(Right.MINE, name="sora-2"),
    # --- one's own account --------------------------------------------------------------------------
    # With passwords, invitations and links that are good: tests/test_sign_in.py, test_registration.py, test_sessions.py.
    "POST /api/auth/redeem": Row(Right.OPEN, status=401, body={"token": "none"}),
    "POST /api/auth/login": Row(
        Right.OPEN, status=401, body={"email": "{new}@example.org", "password": "not it"}
    ),
    "POST /api/auth/register": Row(
        Right.OPEN, status=403, body={"email": "{new}@example.org", "password": "not it"}
    ),
    "POST /api/auth/reset": Row(Right.OPEN, status=401, body={"token": "none", "password": "no such link"}),
    "POST /api/auth/logout": Row(Right.MINE, status=204, scope=Scope.ACCOUNT),
    "POST /api/auth/logout-everywhere": Row(Right.MINE, status=204, scope=Scope.ACCOUNT),
    "GET /api/auth/me": Row(Right.MINE),
    "GET /api/auth/sessions": Row(Right.MINE, scope=Scope.ACCOUNT),
    "DELETE /api/auth/sessions": Row(Right.MINE, status=204, scope=Scope.ACCOUNT),
    "DELETE /api/auth/sessions/{id}": Row(Right.OWN, Thing.SESSION, status=204),
    # Nobody has a password yet: the first one is set by a sign-in, and this one is too short.
    "POST /api/auth/password": Row(
        Right.MINE, status=403, body={"new": "short"}, scope=Scope.ACCOUNT, by_session=400
    ),
    "GET /api/auth/methods": Row(Right.OPEN),
    # No provider is configured; tests/test_oidc.py has one.
    "GET /api/auth/oidc/{name}/login": Row(Right.OPEN, status=302, name="none"),
    "POST /api/auth/oidc/{name}/login": Row(Right.OPEN, status=404, body={}, name="none"),
    "GET /api/auth/oidc/{name}/callback": Row(Right.OPEN, status=302, name="none"),
    "GET /api/auth/identities": Row(Right.MINE, scope=Scope.ACCOUNT),
    "DELETE /api/auth/identities/{id}": Row(Right.OWN, Thing.IDENTITY, status=204),
    "GET /api/keys": Row(Right.MINE, scope=Scope.ACCOUNT),
    "POST /api/keys": Row(
        Right.MINE, status=201, body={"name": "laptop", "scopes": ["account"]}, scope=Scope.ACCOUNT
    ),
    "DELETE /api/keys/{id}": Row(Right.OWN, Thing.KEY, status=204),
    # --- webhooks -----------------------------------------------------------------------------------
    "GET /api/webhooks": Row(Right.MINE, scope=Scope.ACCOUNT),
    "POST /api/webhooks": Row(
        Right.MAKE, status=201, body={"url": RECEIVER, "events": ["video.cancelled"]}, scope=Scope.ACCOUNT
    ),
    "GET /api/webhooks/deliveries/{id}": Row(Right.OWN, Thing.DELIVERY),
    "POST /api/webhooks/deliveries/{id}/replay": Row(Right.OWN, Thing.DELIVERY, status=202),
    "GET /api/webhooks/{id}": Row(Right.OWN, Thing.WEBHOOK),
    "PATCH /api/webhooks/{id}": Row(Right.OWN, Thing.WEBHOOK, body={"description": "changed"}),
    "DELETE /api/webhooks/{id}": Row(Right.OWN, Thing.WEBHOOK, status=204),
    "POST /api/webhooks/{id}/rotate-secret": Row(Right.OWN, Thing.WEBHOOK),
    "POST /api/webhooks/{id}/test": Row(Right.OWN, Thing.WEBHOOK),
    "GET /api/webhooks/{id}/deliveries": Row(Right.OWN, Thing.WEBHOOK),
    # --- administration -----------------------------------------------------------------------------
    "GET /api/admin/upstreams": Row(Right.ADMINISTER),
    "GET /api/admin/upstreams/{name}": Row(Right.ADMINISTER, name="lab"),
    "PUT /api/admin/upstreams/{name}": Row(
        Right.ADMINISTER,
        body={"baseUrl": "http://127.0.0.1:1/v1", "models": {"other": "other"}},
        name="added",
    ),
    "POST /api/admin/upstreams/{name}/test": Row(Right.ADMINISTER, name="lab"),
    "POST /api/admin/upstreams/{name}/try": Row(
        Right.ADMINISTER, body={"baseUrl": "http://127.0.0.1:1/v1"}, name="tried"
    ),
    "POST /api/admin/upstreams/{name}/pause": Row(Right.ADMINISTER, name="lab"),
    "POST /api/admin/upstreams/{name}/resume": Row(Right.ADMINISTER, name="lab"),
    "DELETE /api/admin/upstreams/{name}": Row(Right.ADMINISTER, status=204, name="added"),
    "GET /api/admin/users": Row(Right.ADMINISTER),
    "POST /api/admin/users": Row(Right.ADMINISTER, status=201, body={"email": "{new}@example.org"}),
    "GET /api/admin/users/{id}": Row(Right.ADMINISTER, name="user_ann"),
    "PATCH /api/admin/users/{id}": Row(Right.ADMINISTER, body={"role": "member"}, name="user_ann"),
    "POST /api/admin/users/{id}/reset-link": Row(Right.ADMINISTER, status=201, name="user_ann"),
    "POST /api/admin/users/{id}/login-link": Row(Right.ADMINISTER, status=201, name="user_ann"),
    "POST /api/admin/users/{id}/end-sessions": Row(Right.ADMINISTER, status=204, name="user_ann"),
    "GET /api/admin/users/{id}/keys": Row(Right.ADMINISTER, name="user_ann"),
    # There is no such key, invitation or video; tests/test_admin_users.py, test_invitations.py and test_doubts_api.py
    # have one of each.
    "DELETE /api/admin/users/{id}/keys/{key_id}": Row(Right.ADMINISTER, status=404, name="user_ann"),
    "GET /api/admin/invitations": Row(Right.ADMINISTER),
    "POST /api/admin/invitations": Row(Right.ADMINISTER, status=201, body={"role": "viewer"}),
    "DELETE /api/admin/invitations/{id}": Row(Right.ADMINISTER, status=404, name="link_none"),
    "GET /api/admin/audit": Row(Right.ADMINISTER),
    "GET /api/admin/settings": Row(Right.ADMINISTER),
    "PATCH /api/admin/settings": Row(Right.ADMINISTER, body={"jobs.max_prompt": 30000}),
    "GET /api/admin/credits": Row(Right.ADMINISTER),
    "POST /api/admin/credits/grant": Row(Right.ADMINISTER, body={"userId": "user_ann", "amount": 5}),
    "POST /api/admin/credits/adjust": Row(
        Right.ADMINISTER, body={"userId": "user_ann", "amount": 1, "note": "a test"}
    ),
    "GET /api/admin/credits/ledger": Row(Right.ADMINISTER),
    "GET /api/admin/credits/ledger.csv": Row(Right.ADMINISTER),
    "GET /api/admin/credits/check": Row(Right.ADMINISTER),
    "GET /api/admin/usage": Row(Right.ADMINISTER),
    "GET /api/admin/disputes": Row(Right.ADMINISTER),
    "GET /api/admin/plans": Row(Right.ADMINISTER),
    "PUT /api/admin/plans/{name}": Row(Right.ADMINISTER, body={"perDay": 1000}, name="made"),
    "PUT /api/admin/users/{id}/plan": Row(Right.ADMINISTER, body={"plan": None}, name="user_ann"),
    "DELETE /api/admin/plans/{name}": Row(Right.ADMINISTER, status=204, name="made"),
    "GET /api/admin/codes": Row(Right.ADMINISTER),
    "POST /api/admin/codes": Row(Right.ADMINISTER, status=201, body={"credits": 5}),
    "DELETE /api/admin/codes/{id}": Row(Right.ADMINISTER, status=404, name="code_none"),
    "GET /api/admin/stats": Row(Right.ADMINISTER),
    "GET /api/admin/statistics": Row(Right.ADMINISTER),
    "GET /api/admin/storage": Row(Right.ADMINISTER),
    "GET /api/admin/alerts": Row(Right.ADMINISTER),
    # None is configured; tests/test_alerts_api.py has one.
    "POST /api/admin/alerts/{name}/test": Row(Right.ADMINISTER, status=404, name="none"),
    "GET /api/admin/jobs/unknown": Row(Right.ADMINISTER),
    "POST /api/admin/jobs/{id}/look-again": Row(Right.ADMINISTER, status=404, name="video_none"),
    "POST /api/admin/jobs/{id}/adopt": Row(
        Right.ADMINISTER, status=404, body={"externalVideoId": "x"}, name="video_none"
    ),
    "POST /api/admin/jobs/{id}/pay-again": Row(Right.ADMINISTER, status=404, name="video_none"),
    "POST /api/admin/jobs/{id}/give-up": Row(Right.ADMINISTER, status=404, name="video_none"),
    # There is no such video; tests/test_disputes.py has one.
    "POST /api/admin/jobs/{id}/settle": Row(Right.ADMINISTER, status=404, name="video_none"),
    "POST /api/admin/jobs/{id}/release": Row(Right.ADMINISTER, status=404, name="video_none"),
    # --- everybody's --------------------------------------------------------------------------------
    "POST /hooks/upstream/{name}": Row(Right.OPEN, status=404, name="lab"),
    "GET /health": Row(Right.OPEN),
    "GET /ready": Row(Right.OPEN),
    # By where they ask from, and everybody here asks from this machine: tests/test_metrics_access.py.
    "GET /metrics": Row(Right.OPEN),
    "GET /openapi.json": Row(Right.OPEN),
    "GET /asyncapi.json": Row(Right.OPEN),
}
ONE_JOB = {route: row for route, row in MATRIX.items() if row.thing is Thing.JOB}


_LINES = [
    line.split() for line in WHO_MAY.splitlines() if line and "(" not in line and "scope" not in line.split()
]
_COLUMNS = ("owner", "admin", "team's member", "team's viewer", "member", "viewer", "other scope", "nobody")
_ANSWERS = {
    Right(line[0]): dict(zip(_COLUMNS, line[1:], strict=True)) for line in _LINES if line[0] in set(Right)
}


def answer_for(right: Right, column: str) -> int | None:
    """The status in :data:`WHO_MAY`, None for what whoever may is answered."""
    cell = _ANSWERS[right][column]
    return None if cell == "ok" else int(cell)
