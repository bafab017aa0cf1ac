"""``audit``: who did what."""

from __future__ import annotations

import argparse
import sys

from sora_gateway.cli.operate import operate
from sora_gateway.cli.options import Commands, add_command, add_settings, settings_of
from sora_gateway.cli.terminal import print_table
from sora_gateway.errors import StartupError

MOST = 1000


def register(commands: Commands) -> None:
    audit = add_command(commands, "audit", "show who did what, newest first", _audit)
    audit.add_argument("--limit", type=int, default=50, help=f"so many entries at most (50; up to {MOST})")
    audit.add_argument("--actor", metavar="WHO", help="only what this e-mail address or id did")
    audit.add_argument("--action", metavar="ACTION", help="only this action, or those that begin so: user.")
    add_settings(audit)


def _audit(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.limit <= MOST:
        raise StartupError(f"--limit is 1 to {MOST}.")
    entries = operate(
        settings_of(arguments),
        "audit.list",
        limit=arguments.limit,
        actor=arguments.actor,
        action=arguments.action,
    )
    print_table(
        (
            entry["at"], entry["actor"], entry["action"], entry["target"], entry["address"], entry["request_id"],
            entry["detail"],
        )
        for entry in entries
    )  # fmt: skip
    if not entries:
        # Not on standard output: what reads that counts lines.
        print("Nobody has done anything of that kind.", file=sys.stderr)
    return 0
