"""What an operator can do: the same operations with and without a running gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.cli.operate import offline, operate
from sora_gateway.control import ControlServer, call
from sora_gateway.core import job as j
from sora_gateway.core.actor import COMMAND_LINE, Actor
from sora_gateway.core.job import Event, ExternalId, Job, JobId
from sora_gateway.core.observation import Listed, Look, LookKind
from sora_gateway.core.reconcile import Kind, Verdict
from sora_gateway.errors import Conflict, GatewayError, InvalidRequest, NotFound, Unavailable
from sora_gateway.operations import LOCAL_USER, OPERATIONS, Services, commands
from sora_gateway.places import DataDirectory
from sora_gateway.settings import Settings
from sora_gateway.store import audit
from sora_gateway.store.lock import DataDirectoryInUse
from sora_gateway.supervisor.decisions import Decision, LookAgain
from sora_gateway.supervisor.search import Finding
from tests.jobs import accepted, walk


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
async def services(settings: Settings) -> AsyncIterator[Services]:
    async with offline(settings) as services:
        yield services


async def run(services: Services, operation: str, **arguments: Any) -> Any:
    return await OPERATIONS[operation](services, **arguments)


async def stored_job(services: Services, *events: Event) -> Job:
    """A job of the local person's, after *events*."""
    await run(services, "session.local")
    owner = (await services.store.people.users())[0].id
    return await walk(services.store, await accepted(services.store, owner=owner), *events)


async def test_a_person_is_added_listed_and_disabled(services: Services) -> None:
    await run(services, "user.create", email="ada@example.org", role="admin", password="correct horse")
    (ada,) = await run(services, "user.list")
    assert (ada["email"], ada["role"], ada["disabled_at"]) == ("ada@example.org", "admin", None)
    # Somebody has to be left who can enable her again.
    with pytest.raises(Conflict, match="only administrator"):
        await run(services, "user.disable", email="ada@example.org")
    assert (await run(services, "user.list"))[0]["disabled_at"] is None
    await run(services, "user.create", email="eve@example.org", role="admin", password=None)
    await run(services, "user.disable", email="ada@example.org")
    assert (await run(services, "user.list"))[0]["disabled_at"] is not None


async def test_the_audit_log_is_read_with_addresses_newest_first(services: Services) -> None:
    await run(services, "user.create", email="ada@example.org", role="admin", password=None)
    (ada,) = await run(services, "user.list")
    for number, actor in enumerate((Actor(ada["id"], "203.0.113.7", "req-1"), COMMAND_LINE)):
        await services.store.audit(audit.entry(actor, 2e9 + number, "upstream.pause", "upstream lab"))
    told = await run(services, "audit.list", limit=10, actor=None, action="upstream.")
    assert [entry["actor"] for entry in told] == ["command line", "ada@example.org"]
    assert (told[1]["address"], told[1]["request_id"]) == ("203.0.113.7", "req-1")
    assert await run(services, "audit.list", limit=1, actor=None, action="upstream.") == told[:1]
    assert await run(services, "audit.list", limit=9, actor="ada@example.org", action=None) == told[1:]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"email": "no address"}, InvalidRequest),
        ({"email": "two@at@example.org"}, InvalidRequest),
        ({"email": "es\x1b[31mc@example.org"}, InvalidRequest),
        ({"role": "king"}, InvalidRequest),
        ({"password": "short"}, InvalidRequest),
        ({"email": "taken@example.org"}, Conflict),
    ],
)
async def test_a_person_that_cannot_be_is_refused(
    services: Services, wrong: dict[str, str], error: type[GatewayError]
) -> None:
    await run(services, "user.create", email="taken@example.org", role="member", password=None)
    wish = {"email": "new@example.org", "role": "member", "password": "correct horse"} | wrong
    with pytest.raises(error):
        await run(services, "user.create", **wish)
    assert len(await run(services, "user.list")) == 1


@pytest.mark.parametrize("operation", ["user.disable", "user.link"])
async def test_an_unknown_person_is_said_to_be_unknown(services: Services, operation: str) -> None:
    with pytest.raises(NotFound, match=r"nobody@example\.org"):
        await run(services, operation, email="nobody@example.org")


async def test_a_link_signs_its_person_in_once(services: Services) -> None:
    await run(services, "user.create", email="ada@example.org", role="viewer", password=None)
    link = await run(services, "user.link", email="ada@example.org")
    principal, _ = await services.authenticator.redeem(link["token"])
    assert principal.email == "ada@example.org"
    with pytest.raises(GatewayError, match="used already"):
        await services.authenticator.redeem(link["token"])


async def test_a_key_works_until_it_is_revoked(services: Services) -> None:
    await run(services, "user.create", email="ada@example.org", role="member", password=None)
    key = await run(services, "key.create", email="ada@example.org", name="ci")
    principal = await services.authenticator.by_bearer(key["key"])
    assert principal is not None
    assert principal.email == "ada@example.org"
    (listed,) = await run(services, "key.list", email="ada@example.org")
    assert (listed["id"], listed["email"], listed["name"]) == (key["id"], "ada@example.org", "ci")
    assert key["key"] not in str(listed)
    await run(services, "key.revoke", key_id=key["id"])
    assert await services.authenticator.by_bearer(key["key"]) is None
    assert await run(services, "key.list", email=None) == []


async def test_the_local_session_is_the_first_administrators(services: Services) -> None:
    await run(services, "user.create", email="ada@example.org", role="admin", password=None)
    local = await run(services, "session.local")
    principal = await services.authenticator.by_bearer(local["token"])
    assert principal is not None
    assert principal.email == "ada@example.org"


async def test_without_an_administrator_the_local_session_leaves_the_first_link_alive(
    services: Services,
) -> None:
    link = await services.authenticator.new_login_link(None)
    for _ in range(2):
        local = await run(services, "session.local")
    principal = await services.authenticator.by_bearer(local["token"])
    assert principal is not None
    assert (principal.email, principal.role) == (LOCAL_USER, "member")
    admin, _ = await services.authenticator.redeem(link)
    assert admin.role == "admin"


async def test_a_doubtful_job_is_listed_and_can_be_adopted(services: Services) -> None:
    job = await stored_job(services, j.Claimed(1.0), j.AnswerLost(2.0, "the connection broke"))
    (doubt,) = await run(services, "unknown.list")
    assert (doubt["id"], doubt["email"], doubt["reason"]) == (job.id, LOCAL_USER, "the connection broke")
    assert doubt["attempt_id"] == (await services.store.attempts(job.id))[0].id
    adopted = await run(services, "unknown.adopt", job_id=job.id, external_id="vid_7")
    assert adopted == {"id": job.id, "state": "processing"}
    stored = await services.store.get(job.id)
    assert stored is not None
    assert stored.external_id == ExternalId("vid_7")
    assert await run(services, "unknown.list") == []


async def test_what_may_be_it_is_listed_and_a_running_gateway_looks_on_request(services: Services) -> None:
    job = await stored_job(services, j.Claimed(1.0), j.AnswerLost(2.0, "the connection broke"))
    with pytest.raises(Unavailable, match="looks by itself as soon as it is started"):
        await run(services, "unknown.look", job_id=job.id)
    row = Listed(ExternalId("vid_7"), Look(LookKind.ALIVE))
    finding = Finding(3.0, Verdict(Kind.AMBIGUOUS, None, (row,)))

    async def looked(job_id: JobId, decision: Decision) -> Job:
        assert decision == LookAgain()
        return replace(job, note="It may be there.")

    running = replace(services, decide=looked, finding=lambda _: finding)
    assert (await run(running, "unknown.list"))[0]["candidates"] == ["vid_7"]
    assert await run(running, "unknown.look", job_id=job.id) == {
        "id": job.id, "state": "unknown", "note": "It may be there."
    }  # fmt: skip


async def test_what_the_command_line_decides_is_in_the_audit_log(services: Services) -> None:
    job = await stored_job(services, j.Claimed(1.0), j.AnswerLost(2.0, "the connection broke"))
    await run(services, "unknown.adopt", job_id=job.id, external_id="vid_7")
    (entry,) = await services.store.audited(job.id)
    assert (entry.actor, entry.action, entry.detail) == ("command line", "job.adopt", "vid_7")


@pytest.mark.parametrize(
    ("operation", "state"), [("unknown.pay_again", "queued"), ("unknown.give_up", "failed")]
)
async def test_a_doubtful_job_can_be_paid_again_or_given_up(
    services: Services, operation: str, state: str
) -> None:
    job = await stored_job(services, j.Claimed(1.0), j.AnswerLost(2.0, "the connection broke"))
    assert await run(services, operation, job_id=job.id) == {"id": job.id, "state": state}
    assert await run(services, "credits.check") == {"complaints": []}


async def test_what_a_dead_gateway_was_sending_is_a_doubt_without_a_new_start(settings: Settings) -> None:
    async with offline(settings) as services:
        job = await stored_job(services, j.Claimed(1.0))
    async with offline(settings) as services:
        (doubt,) = await run(services, "unknown.list")
        assert doubt["id"] == job.id
        assert "stopped before the answer came" in doubt["reason"]
        assert (await run(services, "unknown.give_up", job_id=job.id))["state"] == "failed"
        assert await services.store.credits.check() == []


async def test_a_job_that_is_not_in_doubt_is_left_alone(services: Services) -> None:
    job = await stored_job(services)
    with pytest.raises(Conflict, match="only a video whose outcome is unknown"):
        await run(services, "unknown.give_up", job_id=job.id)
    with pytest.raises(NotFound):
        await run(services, "unknown.give_up", job_id="video_0")


async def test_over_the_socket_the_answer_is_the_same(services: Services, settings: Settings) -> None:
    import asyncio

    path = DataDirectory(settings.data_dir).control
    running = replace(services, address="http://127.0.0.1:8000")
    async with ControlServer(path, lambda: commands(running)):
        status = await asyncio.to_thread(operate, settings, "status")
        assert status == {"address": "http://127.0.0.1:8000", "has_admin": False}
        local = await asyncio.to_thread(call, path, "session.local", {})
    assert await services.authenticator.by_session(local["token"]) is not None


def test_without_a_gateway_an_operation_works_on_the_data_directory(settings: Settings) -> None:
    operate(settings, "user.create", email="ada@example.org", role="admin", password=None)
    assert operate(settings, "user.list")[0]["email"] == "ada@example.org"


async def test_two_processes_never_have_the_data_directory_at_once(
    services: Services, settings: Settings
) -> None:
    with pytest.raises(DataDirectoryInUse):
        async with offline(settings):
            pass
