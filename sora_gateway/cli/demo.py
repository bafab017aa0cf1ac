"""``demo``: a gateway of its own, one simulated video, and its file; nothing else is touched or asked for."""

from __future__ import annotations

import argparse
import queue
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sora_gateway.cli.options import Commands, add_command

if TYPE_CHECKING:
    from sora_gateway.client import GatewayClient
    from sora_gateway.settings import Settings

PROMPT = "A lighthouse at dusk, waves in slow motion"
DURATION = 6.0
"""Seconds that the simulated upstream takes."""


def register(commands: Commands) -> None:
    parser = add_command(commands, "demo", "make one simulated video from start to end", _demo)
    parser.add_argument("prompt", nargs="?", default=PROMPT, metavar="PROMPT", help="what to show")


def _demo(arguments: argparse.Namespace) -> int:
    import asyncio

    from sora_gateway.cli.jobs import check_target, client_of
    from sora_gateway.control import call
    from sora_gateway.logs.lines import warn_on_stderr
    from sora_gateway.places import DataDirectory

    warn_on_stderr()
    target = unused_name("demo")
    check_target(target)
    with tempfile.TemporaryDirectory(prefix="sora-gateway-demo-", ignore_cleanup_errors=True) as name:
        directory = DataDirectory(Path(name))
        with _gateway(demo_settings(directory.root)):
            local = call(directory.control, "session.local", {})
            print(f"A gateway of its own runs on {local['address']}; its videos are simulated.", flush=True)
            client = client_of(local["address"], local["token"])
            return asyncio.run(_make(client, arguments.prompt, target))


async def _make(client: GatewayClient, prompt: str, target: Path) -> int:
    from sora_gateway.cli.jobs import make_and_save

    async with client:
        return await make_and_save(client, await client.generate(prompt), target)


def demo_settings(data_dir: Path) -> Settings:
    """Defaults and nothing else: a demo must not find, and pay, the upstreams that somebody configured."""
    from sora_gateway.settings import Settings

    class Untouched(Settings):
        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, init_settings: Any, *_: Any, **__: Any) -> Any:
            return (init_settings,)

    made: dict[str, Any] = {
        "data_dir": data_dir,
        "server": {"port": 0},
        "simulator": {"duration": DURATION, "sigma": 0.0},
        "log": {"level": "warning"},
    }
    return Untouched(**made)


@contextmanager
def _gateway(settings: Settings) -> Iterator[None]:
    """A running gateway in a thread: the command line in front of it blocks, and Ctrl-C belongs to it."""
    import asyncio

    from sora_gateway.app import opened

    started: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    stop, loop = asyncio.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        async with opened(settings):
            started.put(None)
            await stop.wait()

    def thread_main() -> None:
        try:
            loop.run_until_complete(serve())
        except BaseException as error:
            # The thread that waits for the start has to hear of it, whatever it is.
            started.put(error)
        finally:
            loop.close()

    thread = threading.Thread(target=thread_main, name="demo gateway")
    thread.start()
    try:
        if (error := started.get()) is not None:
            raise error
        yield
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join()


def unused_name(stem: str, suffix: str = ".mp4") -> Path:
    """``demo.mp4`` here, or ``demo-2.mp4`` and so on: nothing is overwritten."""
    names = (Path(f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}") for number in count(1))
    return next(path for path in names if not path.exists())
