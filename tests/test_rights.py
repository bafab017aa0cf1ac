"""One guard looks at the credentials of all open connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from sora_gateway.core.principal import Principal
from sora_gateway.errors import CloseCode, StorageFull
from sora_gateway.realtime.hub import Hub
from sora_gateway.realtime.mailbox import Mailbox
from sora_gateway.realtime.rights import RECHECK, Rights
from tests.fakes import ManualClock, settle
from tests.live import urls_of
from tests.stores import ADA, BEN, EPOCH


class Known:
    """Who is known; *asked* is whose credential was looked at."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.revoked: set[str] = set()
        self.failing = False

    async def by_bearer(self, token: str) -> Principal | None:
        raise AssertionError("nobody signs in here")

    by_session = by_bearer

    async def renewed(self, principal: Principal) -> Principal | None:
        self.asked.append(principal.credential)
        if self.failing:
            raise StorageFull("The disk is gone.")
        return None if principal.credential in self.revoked else principal


@pytest.fixture
async def stack() -> AsyncIterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def guards() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "live rights"]


async def opened(stack: ExitStack, rights: Rights, *people: Principal) -> list[Mailbox]:
    hub = Hub(EPOCH, urls_of)
    mailboxes = [stack.enter_context(hub.connect(person)) for person in people]
    for mailbox in mailboxes:
        rights.watch(mailbox)
    await settle()
    return mailboxes


async def test_many_connections_of_one_credential_cost_one_look(stack: ExitStack) -> None:
    known, clock = Known(), ManualClock()
    await opened(stack, Rights(known, clock), *[ADA] * 100, BEN)
    assert sorted(known.asked) == sorted([ADA.credential, BEN.credential])
    await clock.advance(RECHECK)
    assert len(known.asked) == 4


async def test_a_doubt_is_looked_into_at_once_and_ends_only_whom_it_is_about(stack: ExitStack) -> None:
    known, clock = Known(), ManualClock()
    first, second, ben = await opened(stack, Rights(known, clock), ADA, ADA, BEN)
    known.revoked.add(ADA.credential)
    first.doubt()
    second.doubt()
    await settle()
    assert first.closed.result() is second.closed.result() is CloseCode.FORBIDDEN
    assert not ben.closed.done()


async def test_a_credential_ends_at_its_second(stack: ExitStack) -> None:
    known, clock = Known(), ManualClock()
    short = replace(ADA, expires_at=clock.now() + 7.0)
    [mailbox] = await opened(stack, Rights(known, clock), short)
    known.revoked.add(short.credential)
    await clock.advance(6.9)
    assert not mailbox.closed.done()
    await clock.advance(0.2)
    assert mailbox.closed.result() is CloseCode.EXPIRED


async def test_when_nobody_knows_whether_they_may_read_they_may_not(
    stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    known, clock = Known(), ManualClock()
    [mailbox] = await opened(stack, Rights(known, clock), ADA)
    known.failing = True
    mailbox.doubt()
    await settle()
    assert mailbox.closed.result() is CloseCode.RESYNC
    assert "could not be looked at" in caplog.text


async def test_there_is_a_guard_only_while_there_is_a_connection(stack: ExitStack) -> None:
    known, clock = Known(), ManualClock()
    rights = Rights(known, clock)
    assert guards() == []
    await opened(stack, rights, ADA, BEN)
    assert guards() == ["live rights"]
    stack.close()
    await settle()
    assert guards() == []
    with ExitStack() as again:
        await opened(again, rights, ADA)
        assert guards() == ["live rights"]
    await settle()
    assert guards() == []
