"""The simulator through the adapter that real upstreams are spoken to with: the contract, and its faults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sora_gateway.core.outcome import OutcomeClass, classify
from sora_gateway.entropy import SystemEntropy
from sora_gateway.upstream.openai import OpenAIAdapter
from sora_gateway.upstream.simulator import SimulatorOptions, SimulatorState, build_simulator

from .fakes import ManualClock
from .servers import serving
from .upstream_cases import KEY, ORDER, talking_to
from .upstream_contract import Clause, Upstream, clauses

over_both = pytest.mark.parametrize("in_process", [False, True], ids=["over a socket", "in process"])


@asynccontextmanager
async def simulated(
    directory: Path, *, in_process: bool
) -> AsyncIterator[tuple[OpenAIAdapter, SimulatorState, ManualClock]]:
    clock = ManualClock()
    options = SimulatorOptions(render="clip", directives=True, api_key=KEY)
    state = SimulatorState(directory, clock, SystemEntropy(), options)
    app = build_simulator(state)
    try:
        if in_process:
            async with talking_to("http://simulator", "simulator", app=app) as adapter:
                yield adapter, state, clock
        else:
            async with serving(app) as url, talking_to(url, "simulator") as adapter:
                yield adapter, state, clock
    finally:
        await state.aclose()


@clauses
@over_both
async def test_the_simulator_keeps_the_contract(clause: Clause, in_process: bool, tmp_path: Path) -> None:
    async with simulated(tmp_path, in_process=in_process) as (adapter, _, clock):

        async def finish() -> None:
            await clock.advance(3600)

        await clause(Upstream(adapter, finish, ORDER, cancels=True, thumbnails=True))


@over_both
@pytest.mark.parametrize(
    ("fault", "kind", "paid"),
    [
        ("create_400", OutcomeClass.REFUSED, 0),
        ("moderation", OutcomeClass.REFUSED, 0),
        ("create_401", OutcomeClass.OUT_OF_ORDER, 0),
        ("create_402", OutcomeClass.OUT_OF_ORDER, 0),
        ("create_429=7", OutcomeClass.REFUSED_FOR_NOW, 0),
        ("create_503=7", OutcomeClass.REFUSED_FOR_NOW, 0),
        ("create_503", OutcomeClass.UNKNOWN, 0),
        ("create_500", OutcomeClass.UNKNOWN, 0),
        ("create_500=committed", OutcomeClass.UNKNOWN, 1),
        ("create_502_html=committed", OutcomeClass.UNKNOWN, 1),
        ("create_drop_before", OutcomeClass.UNKNOWN, 0),
        ("create_drop", OutcomeClass.UNKNOWN, 1),
        ("create_half", OutcomeClass.UNKNOWN, 1),
        ("create_empty", OutcomeClass.UNKNOWN, 1),
        ("create_no_id", OutcomeClass.UNKNOWN, 1),
    ],
)
async def test_a_faulty_create_is_classified_alike_on_a_socket_and_in_process(
    fault: str, kind: OutcomeClass, paid: int, in_process: bool, tmp_path: Path
) -> None:
    async with simulated(tmp_path, in_process=in_process) as (adapter, state, _):
        found = await adapter.create(replace(ORDER, prompt=f"a boat [[fault:{fault}]]"), 10)
        assert classify(found, adapter.rules).kind is kind
        assert state.paid_creates() == paid
