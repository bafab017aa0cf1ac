"""``unknown``: what only a person can decide."""

from __future__ import annotations

import argparse
import sys

from sora_gateway.cli.operate import operate
from sora_gateway.cli.options import Commands, Run, add_command, add_group, add_settings, settings_of
from sora_gateway.cli.terminal import print_table, printable


def register(commands: Commands) -> None:
    doubts = add_group(commands, "unknown", "videos of which nobody knows whether the upstream accepted them")
    add_settings(add_command(doubts, "list", "show the videos that wait for a decision", _list))
    _with_job(doubts, "look", "look for it at the upstream now", _look)
    adopt = _with_job(doubts, "adopt", "go on with the id that the upstream gave it", _adopt)
    adopt.add_argument("external_id", metavar="EXTERNAL_ID", help="its id at the upstream")
    _with_job(doubts, "pay-again", "send it again, although the first may have been paid for", _pay_again)
    _with_job(doubts, "give-up", "close it and give the credits back", _give_up)


def _with_job(commands: Commands, name: str, summary: str, run: Run) -> argparse.ArgumentParser:
    parser = add_command(commands, name, summary, run)
    parser.add_argument("job", metavar="JOB", help="the video's id, as in `unknown list`")
    add_settings(parser)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    doubts = operate(settings_of(arguments), "unknown.list")
    print_table(
        (
            doubt["id"], doubt["email"], doubt["upstream"], f"sent {doubt['submitted_at']}", doubt["attempt_id"],
            doubt["reason"], doubt["prompt"], " ".join(doubt["candidates"]),
        )
        for doubt in doubts
    )  # fmt: skip
    if not doubts:
        # Not on standard output: what reads that counts lines.
        print("Nothing waits for a decision.", file=sys.stderr)
    return 0


def _look(arguments: argparse.Namespace) -> int:
    found = operate(settings_of(arguments), "unknown.look", job_id=arguments.job)
    _tell(found)
    if found["note"]:
        print(printable(found["note"]))
    return 0


def _adopt(arguments: argparse.Namespace) -> int:
    done = operate(
        settings_of(arguments), "unknown.adopt", job_id=arguments.job, external_id=arguments.external_id
    )
    return _tell(done)


def _pay_again(arguments: argparse.Namespace) -> int:
    return _tell(operate(settings_of(arguments), "unknown.pay_again", job_id=arguments.job))


def _give_up(arguments: argparse.Namespace) -> int:
    return _tell(operate(settings_of(arguments), "unknown.give_up", job_id=arguments.job))


def _tell(done: dict[str, str]) -> int:
    print(f"{done['id']} is {done['state']}.")
    return 0
