"""``migrate``, ``config show``, ``openapi``, ``asyncapi`` and ``bench``."""

from __future__ import annotations

import argparse
import json

from sora_gateway.cli.options import Commands, add_command, add_group, add_settings, settings_of
from sora_gateway.cli.terminal import printable


def register(commands: Commands) -> None:
    add_settings(add_command(commands, "migrate", "bring the database to this version's schema", _migrate))
    config = add_group(commands, "config", "the settings")
    add_settings(add_command(config, "show", "print the settings in force, secrets masked", _config_show))
    add_command(commands, "openapi", "print the API's OpenAPI document", _openapi)
    add_command(commands, "asyncapi", "print the live protocol's AsyncAPI document", _asyncapi)
    bench = add_command(commands, "bench", "measure this machine against references", _bench)
    bench.add_argument("name", choices=("startup", "store", "polling", "inflight", "fanout", "api", "page"))
    bench.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="options of the benchmark")


def _migrate(arguments: argparse.Namespace) -> int:
    from sora_gateway.clock import SystemClock
    from sora_gateway.entropy import SystemEntropy
    from sora_gateway.places import DataDirectory, shipped
    from sora_gateway.store.lock import DataLock
    from sora_gateway.store.schema import HEAD, prepare

    directory = DataDirectory(settings_of(arguments).data_dir)
    directory.make()
    with DataLock(directory.root):
        backup = prepare(
            directory.database,
            shipped("migrations"),
            SystemClock().now(),
            SystemEntropy().new_id("epoch")[-16:],
        )
    if backup is not None:
        print(f"A copy of what was there is at {backup}.")
    print(f"{directory.database} is at schema {HEAD}.")
    return 0


def _config_show(arguments: argparse.Namespace) -> int:
    from sora_gateway.config_example import show
    from sora_gateway.control import NotRunning, call
    from sora_gateway.places import DataDirectory

    settings = settings_of(arguments)
    print(show(settings), end="")
    try:
        changed = call(DataDirectory(settings.data_dir).control, "settings.changed", {})
    except NotRunning:
        return 0
    if changed:
        print("\n# In force instead, because it was changed while the gateway ran:")
    for each in changed:
        who = printable(f"{each['changed_by']}, {each['changed_at']}")
        print(f"# {each['key']} = {json.dumps(each['value'])}  # {who}")
    return 0


def _openapi(arguments: argparse.Namespace) -> int:
    from sora_gateway.http.openapi import document
    from sora_gateway.http.system import System
    from sora_gateway.http.table import table

    endpoints = table(System(0.0, lambda: endpoints))
    print(json.dumps(document(endpoints), indent=2, ensure_ascii=False))
    return 0


def _asyncapi(arguments: argparse.Namespace) -> int:
    from sora_gateway.http.asyncapi import document

    print(json.dumps(document(), indent=2, ensure_ascii=False))
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    from sora_gateway.bench import main

    return main(arguments.name, arguments.rest)
