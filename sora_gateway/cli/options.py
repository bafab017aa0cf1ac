"""The options that commands share, and the settings that they lead to."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sora_gateway.settings import Settings

Commands = Any
"""What ``add_subparsers`` returns; argparse gives it no public name."""
Run = Callable[[argparse.Namespace], int]


def add_command(commands: Commands, name: str, summary: str, run: Run) -> argparse.ArgumentParser:
    """A command of that name; *run* gets the parsed arguments and returns the exit code."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
    )
    parser.set_defaults(run=run)
    return parser


def add_group(commands: Commands, name: str, summary: str) -> Commands:
    """A command that only has commands below it."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, allow_abbrev=False)
    return parser.add_subparsers(metavar="COMMAND", required=True, title="commands")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The options of every command that reads the settings."""
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="database, files and secrets live here")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration file instead of config.toml"
    )


def number(kind: type[int] | type[float], least: float, most: float) -> Callable[[str], float]:
    """A type for argparse: a number of *kind* from *least* to *most*."""

    def parse(text: str) -> float:
        with suppress(ValueError):
            if least <= (value := kind(text)) <= most:
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")

    return parse


PORT = number(int, 0, 65535)


def settings_of(arguments: argparse.Namespace, **overrides: Any) -> Settings:
    """The settings with the flags on top. Raises StartupError as :func:`~sora_gateway.settings.load_settings`."""
    from sora_gateway.settings import load_settings

    if arguments.data_dir is not None:
        overrides["data_dir"] = arguments.data_dir
    return load_settings(arguments.config, **overrides)
