"""``simulate``: the simulated upstream on a port, for people who build clients, and for tests."""

from __future__ import annotations

import argparse
from pathlib import Path

from sora_gateway.cli.options import PORT, Commands, add_command, number


def register(commands: Commands) -> None:
    parser = add_command(commands, "simulate", "serve a simulated upstream that costs nothing", _simulate)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument(
        "--port", type=PORT, default=9000, help="port to listen on; 0 takes a free one (9000)"
    )
    parser.add_argument(
        "--state-dir", "--data-dir", type=Path, default=Path("simulator"), metavar="DIR",
        help="its jobs outlive it here (simulator)",
    )  # fmt: skip
    parser.add_argument(
        "--duration", type=number(float, 0.001, 86400), default=8.0, metavar="SECONDS",
        help="median seconds that a video takes (8)",
    )  # fmt: skip
    parser.add_argument(
        "--sigma", type=number(float, 0, 3), default=0.25, help="spread of the durations, log-normal (0.25)"
    )
    parser.add_argument(
        "--failure-rate", type=number(float, 0, 1), default=0.0, metavar="SHARE",
        help="share of jobs that fail, 0 to 1 (0)",
    )  # fmt: skip
    parser.add_argument("--directives", action="store_true", help="obey [[fault:...]] in prompts")
    parser.add_argument(
        "--clip", action="store_true", help="serve one shipped clip instead of drawing the prompt"
    )
    parser.add_argument("--api-key", default="", metavar="KEY", help="ask for this key")


def _simulate(arguments: argparse.Namespace) -> int:
    import asyncio

    from sora_gateway.logs.lines import warn_on_stderr

    warn_on_stderr([arguments.api_key])
    directory: Path = arguments.state_dir
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return asyncio.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> int:
    from sora_gateway.cli.signals import told_to_stop
    from sora_gateway.clock import SystemClock
    from sora_gateway.entropy import SystemEntropy
    from sora_gateway.http.server import GatewayServer
    from sora_gateway.store.lock import DataLock
    from sora_gateway.upstream.simulator.app import build_simulator
    from sora_gateway.upstream.simulator.state import SimulatorOptions, SimulatorState

    options = SimulatorOptions(
        duration=arguments.duration,
        sigma=arguments.sigma,
        failure_rate=arguments.failure_rate,
        render="clip" if arguments.clip else "full",
        directives=arguments.directives,
        api_key=arguments.api_key,
    )
    stop = told_to_stop()
    # The journals belong to one process, like a gateway's data.
    with DataLock(arguments.state_dir):
        state = SimulatorState(arguments.state_dir, SystemClock(), SystemEntropy(), options)
        server = GatewayServer()
        try:
            port = await server.start(build_simulator(state), arguments.host, arguments.port)
            print(f"The simulated upstream listens on http://{arguments.host}:{port}/v1", flush=True)
            await stop.wait()
        finally:
            await server.stop(grace=1.0)
            await state.aclose()
    return 0
