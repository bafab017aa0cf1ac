"""Carries out an operation: by the running gateway if there is one, otherwise on the data directory itself.

Either way there is one writer: whoever holds the data directory's lock.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sora_gateway.operations import Services
    from sora_gateway.settings import Settings

STARTING = 5.0
"""Seconds for which a gateway may hold the lock and not listen yet, or not any more."""


def operate(settings: Settings, operation: str, **arguments: Any) -> Any:
    """The result of *operation* (see :mod:`sora_gateway.operations`).

    Raises:
        GatewayError: what the operation says is wrong.
        StartupError: the data directory cannot be used.
    """
    import asyncio

    from sora_gateway.control import NotRunning, call
    from sora_gateway.places import DataDirectory
    from sora_gateway.store.lock import DataDirectoryInUse

    directory = DataDirectory(settings.data_dir)
    patience = time.monotonic() + STARTING
    while True:
        try:
            return call(directory.control, operation, arguments)
        except NotRunning:
            pass
        try:
            return asyncio.run(_alone(settings, operation, arguments))
        except DataDirectoryInUse:
            if time.monotonic() > patience:
                raise
            time.sleep(0.1)


async def _alone(settings: Settings, operation: str, arguments: dict[str, Any]) -> Any:
    from sora_gateway.operations import OPERATIONS

    async with offline(settings) as services:
        return await OPERATIONS[operation](services, **arguments)


@asynccontextmanager
async def offline(settings: Settings) -> AsyncIterator[Services]:
    """The parts that operations work on while no gateway runs; holds the data directory's lock.

    Raises:
        DataDirectoryInUse: a gateway runs after all.
        StartupError: the data directory or its database cannot be used.
    """
    from sora_gateway.accounts.authenticator import Authenticator
    from sora_gateway.accounts.codes import Codes
    from sora_gateway.accounts.passwords import Passwords
    from sora_gateway.accounts.plans import Plans
    from sora_gateway.clock import SystemClock
    from sora_gateway.core.actor import COMMAND_LINE
    from sora_gateway.core.job import Job, JobId, State
    from sora_gateway.core.money import OnCancel
    from sora_gateway.core.plans import plan_of
    from sora_gateway.entropy import SystemEntropy
    from sora_gateway.errors import NotFound
    from sora_gateway.logs.lines import warn_on_stderr
    from sora_gateway.media.files import MediaFiles
    from sora_gateway.operations import Services
    from sora_gateway.places import DataDirectory, shipped
    from sora_gateway.retention.housekeeping import reconciler
    from sora_gateway.runtime_settings import RuntimeSettings
    from sora_gateway.signing_keys import KeyRing
    from sora_gateway.store import Store
    from sora_gateway.store.lock import DataLock
    from sora_gateway.store.schema import prepare
    from sora_gateway.supervisor.charges import Charges
    from sora_gateway.supervisor.decisions import Decision, answer_dropped
    from sora_gateway.supervisor.recorder import Recorder
    from sora_gateway.supervisor.watcher import decide

    warn_on_stderr(settings.secrets())
    clock, entropy = SystemClock(), SystemEntropy()
    directory = DataDirectory(settings.data_dir)
    directory.make()
    with DataLock(directory.root):
        prepare(directory.database, shipped("migrations"), clock.now(), entropy.new_id("epoch")[-16:])
        async with Store(directory.database, lambda _: None) as store:
            recorder = Recorder(store, clock, OnCancel(settings.credits.on_cancel))
            # The lock is ours, so whoever was sending these is dead.
            for job in await store.unfinished():
                if job.state is State.SUBMITTING:
                    await recorder.record(job, *answer_dropped(clock.now()))

            async def decide_stored(job_id: JobId, decision: Decision) -> Job:
                job = await store.get(job_id)
                if job is None:
                    raise NotFound("There is no video by that id.")
                return await decide(recorder, job, decision, clock.now(), COMMAND_LINE)

            runtime = RuntimeSettings(settings, store, clock)
            await runtime.load()

            def balance() -> int:
                return runtime.current.credits.starting_balance

            passwords = Passwords()
            authenticator = Authenticator(store, clock, entropy, balance)
            try:
                ring = KeyRing(directory.signing_keys, clock, entropy)
                configured = {
                    name: plan_of(name, entry.model_dump()) for name, entry in settings.plans.items()
                }
                plans = Plans(store, clock, configured)
                await plans.load()
                codes = Codes(store, plans, clock, entropy)
                media = directory.media
                yield Services(
                    store, authenticator, passwords, clock, entropy, decide_stored, ring, plans, codes,
                    Charges(store, clock), reconciler(store, MediaFiles(media), media, clock), balance,
                )  # fmt: skip
            finally:
                passwords.close()
