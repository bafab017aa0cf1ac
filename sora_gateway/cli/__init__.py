"""``sora-gateway``: every command.

A command's module is imported when it is asked for, and only the standard library before it runs; what is heavy is
imported inside it.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from sora_gateway.cli.terminal import prepare_streams
from sora_gateway.errors import GatewayError, StartupError

COMMANDS = {
    "serve": "sora_gateway.cli.serve",
    "init": "sora_gateway.cli.serve",
    "demo": "sora_gateway.cli.demo",
    "generate": "sora_gateway.cli.jobs",
    "watch": "sora_gateway.cli.jobs",
    "user": "sora_gateway.cli.people",
    "key": "sora_gateway.cli.people",
    "signing-key": "sora_gateway.cli.signing",
    "unknown": "sora_gateway.cli.unknown",
    "credits": "sora_gateway.cli.credits",
    "plan": "sora_gateway.cli.credits",
    "code": "sora_gateway.cli.credits",
    "audit": "sora_gateway.cli.audit",
    "alerts": "sora_gateway.cli.alerts",
    "storage": "sora_gateway.cli.storage",
    "doctor": "sora_gateway.cli.doctor",
    "backup": "sora_gateway.cli.backup",
    "restore": "sora_gateway.cli.backup",
    "migrate": "sora_gateway.cli.inspection",
    "config": "sora_gateway.cli.inspection",
    "openapi": "sora_gateway.cli.inspection",
    "asyncapi": "sora_gateway.cli.inspection",
    "bench": "sora_gateway.cli.inspection",
    "simulate": "sora_gateway.cli.simulate",
}
"""Which module knows each command, in the order of ``--help``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code: 0, 1 for a failure, 130 after Ctrl-C.

    Raises:
        SystemExit: 2 for wrong usage; 0 after ``--help`` and ``--version``.
    """
    given = sys.argv[1:] if argv is None else argv
    prepare_streams()
    try:
        arguments = _parser(given[0] if given else "").parse_args(given)
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except (StartupError, GatewayError) as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has enough. Without this the interpreter complains once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
    except Exception as error:
        # A bug of ours. A person gets a line that can be reported instead of a page of internals.
        from sora_gateway.logs.redaction import Redactor

        place = traceback.extract_tb(error.__traceback__)[-1]
        said = Redactor().shown(f"{type(error).__name__}: {error}", 1000)
        return _complain(
            f"This is a bug, please report it: {said} ({Path(place.filename).name}:{place.lineno})"
        )


def _complain(text: str) -> int:
    print(f"sora-gateway: {text}", file=sys.stderr)
    return 1


class _Version(argparse.Action):
    """``--version``; looking it up takes an import that no other command needs."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"sora-gateway {version('sora-gateway')}")
        parser.exit()


def _parser(command: str = "") -> argparse.ArgumentParser:
    """The parser of *command*, of all commands if it is none: to make all takes longer than most commands."""
    parser = argparse.ArgumentParser(
        prog="sora-gateway",
        description="One process between a small team and every Sora-style video API.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    for name in [COMMANDS[command]] if command in COMMANDS else dict.fromkeys(COMMANDS.values()):
        import_module(name).register(commands)
    return parser
