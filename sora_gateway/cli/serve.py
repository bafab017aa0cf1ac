"""``serve`` and ``init``."""

from __future__ import annotations

import argparse
import gc
import os
from pathlib import Path

from sora_gateway.cli.options import PORT, Commands, add_command, add_settings, settings_of
from sora_gateway.errors import StartupError


def register(commands: Commands) -> None:
    parser = add_command(commands, "serve", "run the gateway", _serve)
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=PORT, help="port to listen on; 0 takes a free one")
    add_settings(parser)
    parser = add_command(commands, "init", "write config.toml and make the data directory", _init)
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="database, files and secrets live here")


def _serve(arguments: argparse.Namespace) -> int:
    # What a start makes, it keeps; looking for garbage in it takes a tenth of the start.
    gc.disable()
    # Pydantic would read the metadata of every installed package to look for plugins, and there are none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from sora_gateway.serving import run

        server = {
            name: getattr(arguments, name)
            for name in ("host", "port")
            if getattr(arguments, name) is not None
        }
        return run(settings_of(arguments, **({"server": server} if server else {})))
    finally:
        gc.enable()


def _init(arguments: argparse.Namespace) -> int:
    from sora_gateway.config_example import render
    from sora_gateway.places import DataDirectory

    target = Path("config.toml")
    directory = DataDirectory(arguments.data_dir or Path("data"))
    text = render(data_dir=directory.root)
    try:
        # Readable for its owner only: keys of upstreams may end up in it.
        with open(target, "x", encoding="utf-8", opener=_private) as file:
            file.write(text)
    except FileExistsError:
        raise StartupError("There is a config.toml here already; it is left as it is.") from None
    directory.make()
    print(f"Wrote {target.resolve()} and made {directory.root.resolve()}. Start with: sora-gateway serve")
    return 0


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
