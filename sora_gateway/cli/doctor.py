"""``doctor``: what is wrong, one line each; it spends nothing unless it is told to."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sora_gateway.cli.options import Commands, add_command, add_settings, settings_of
from sora_gateway.cli.terminal import printable
from sora_gateway.errors import StartupError

if TYPE_CHECKING:
    from sora_gateway.settings import Settings, Upstream

Finding = tuple[bool | None, str]
"""Whether it is well (None is a hint), and the line."""

_WORDS = {True: "ok", None: "hint", False: "FAIL"}


def register(commands: Commands) -> None:
    parser = add_command(commands, "doctor", "check configuration, data directory and upstreams", _doctor)
    parser.add_argument("--upstream", metavar="NAME", help="look at this one only")
    parser.add_argument("--spend", action="store_true", help="then make and pay for one cheapest clip there")
    parser.add_argument("--yes", action="store_true", help="do not ask before spending")
    add_settings(parser)


def _doctor(arguments: argparse.Namespace) -> int:
    import asyncio

    from sora_gateway.logs.lines import warn_on_stderr

    try:
        settings = settings_of(arguments)
        warn_on_stderr(settings.secrets())
    except StartupError as error:
        return _print([(False, f"configuration: {error}")])
    name = arguments.upstream
    if name is not None and name not in settings.upstreams:
        raise StartupError(f"There is no upstream {name} in the configuration.")
    findings = [(True, "configuration: valid"), *_data_directory(settings)]
    findings += asyncio.run(_upstreams(settings, name))
    findings.append(_alerts(settings))
    code = _print(findings)
    if not arguments.spend:
        return code
    from sora_gateway.cli.trial import chosen, spend

    name = chosen(settings, name)
    made = spend(settings, name, arguments.yes, lambda well, text: _tell((well, f"upstream {name}: {text}")))
    return code if made else 1


def _print(findings: Iterable[Finding]) -> int:
    return max(map(_tell, findings), default=0)


def _tell(finding: Finding) -> int:
    """Prints one line, and returns the exit code that it calls for."""
    well, text = finding
    # A complaint about the configuration has a line for each key.
    lines = "\n".join(map(printable, text.split("\n")))
    print(f"{_WORDS[well]:<4}  {lines}", flush=True)
    return 1 if well is False else 0


def _data_directory(settings: Settings) -> Iterator[Finding]:
    from sora_gateway.control import NotRunning, call
    from sora_gateway.places import DataDirectory
    from sora_gateway.store.schema import HEAD, current_revision

    directory = DataDirectory(settings.data_dir)
    if not directory.root.exists():
        yield True, f"data directory: {directory.root} will be made at the first start"
        return
    if not directory.root.is_dir() or not os.access(directory.root, os.R_OK | os.W_OK | os.X_OK):
        yield False, f"data directory: {directory.root} is no directory that can be written"
        return
    for path in directory.open_to_others():
        yield False, f"data directory: {path} is open to other people: chmod go= {path}"
    if not directory.open_to_others():
        yield True, f"data directory: {directory.root} is private"
    free, least = shutil.disk_usage(directory.root).free, settings.media.min_free_disk
    yield free > least, f"disk: {free >> 20} MiB free, {least >> 20} MiB are the least"
    try:
        revision = current_revision(directory.database)
        yield True, f"database: schema {revision or 'not made yet'}, this program's is {HEAD}"
    except StartupError as error:
        yield False, f"database: {error}"
    try:
        address = call(directory.control, "status", {}, timeout=5.0)["address"]
        yield True, f"gateway: running on {address}"
    except NotRunning:
        yield True, "gateway: not running"
    except StartupError as error:
        yield False, f"gateway: {error}"


def _alerts(settings: Settings) -> Finding:
    if not settings.alerts:
        return True, "alerts: none set, nobody is told when something is wrong"
    places = ", ".join(f"{name} ({each.kind})" for name, each in settings.alerts.items())
    return True, f"alerts: told to {places}; try it with: sora-gateway alerts test"


async def _upstreams(settings: Settings, only: str | None) -> list[Finding]:
    if not settings.upstreams:
        return [(True, "upstreams: none set, the embedded simulator makes the videos")]
    import asyncio

    entries = {name: one for name, one in settings.upstreams.items() if only in (None, name)}
    found = await asyncio.gather(*(_upstream(name, one, settings) for name, one in entries.items()))
    return [finding for findings in found for finding in findings]


async def _upstream(name: str, upstream: Upstream, settings: Settings) -> list[Finding]:
    from sora_gateway.clock import SystemClock
    from sora_gateway.diagnosis import diagnose

    lines = await diagnose(name, upstream, settings.media.max_file, SystemClock())
    return [(line.well, f"upstream {name}: {line.text}") for line in lines]
