"""``signing-key``: it works while the gateway runs, which then signs with the new key at once, and while it does not."""

from __future__ import annotations

import argparse

from sora_gateway.cli.operate import operate
from sora_gateway.cli.options import Commands, add_command, add_group, add_settings, settings_of
from sora_gateway.cli.terminal import print_table


def register(commands: Commands) -> None:
    keys = add_group(commands, "signing-key", "the keys that sign addresses of files and share links")
    add_settings(add_command(keys, "rotate", "make a new key, which signs from now on", _rotate))
    add_settings(add_command(keys, "list", "show the keys, oldest first; the last one signs", _list))
    drop = add_command(keys, "drop", "make what an older key has signed worthless", _drop)
    drop.add_argument("id", metavar="ID", help="the key's id, as in `signing-key list`")
    add_settings(drop)


def _rotate(arguments: argparse.Namespace) -> int:
    made = operate(settings_of(arguments), "signing_key.rotate")
    print(f"Key {made['id']} signs from now on; older ones are good until they are dropped.")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    rows = [
        (
            key["id"],
            f"since {key['created_at']}" if key["created_at"] else "",
            "signs" if key["signs"] else "",
        )
        for key in operate(settings_of(arguments), "signing_key.list")
    ]
    print_table(rows)
    return 0


def _drop(arguments: argparse.Namespace) -> int:
    operate(settings_of(arguments), "signing_key.drop", key_id=arguments.id)
    print(f"Key {arguments.id} is dropped; addresses and share links that it signed do not work any more.")
    return 0
