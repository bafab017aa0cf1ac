"""Cancelling what the upstream has accepted: ask it, and believe only its answer."""

from __future__ import annotations

from sora_gateway.core import job as j
from sora_gateway.core.observation import LookKind
from sora_gateway.core.polling import backoff
from sora_gateway.supervisor.polling import record_end
from sora_gateway.supervisor.watcher import Watcher
from sora_gateway.upstream.adapter import CancelAnswer

TRIES = 5


async def cancelling(watcher: Watcher) -> None:
    """Ends the job one way or the other; if it was finished already, its owner gets it."""
    upstream, external_id = watcher.upstream, watcher.job.external_id
    if upstream is None or external_id is None:
        await watcher.insist(j.CancelUnconfirmed(watcher.now()))
        return
    for attempt in range(TRIES):
        answer = await upstream.adapter.cancel(external_id)
        if answer is CancelAnswer.CONFIRMED:
            await watcher.insist(j.CancelConfirmed(watcher.now()))
            return
        if answer is not CancelAnswer.TROUBLE:
            break
        await watcher.sleep(backoff(attempt, base=1.0, cap=15.0, fraction=watcher.around.entropy.fraction()))
    look = await watcher.look(upstream, external_id)
    if look.kind is LookKind.CANCELLED:
        # It had stopped before we asked: an answer to an earlier process of ours that died before it was stored.
        await watcher.insist(j.CancelConfirmed(watcher.now()))
    elif not await record_end(watcher, look):
        await watcher.insist(j.CancelUnconfirmed(watcher.now()))
