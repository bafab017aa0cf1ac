"""``doctor``: what is wrong, one line each, without spending anything."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sora_gateway.cli.options import Commands, add_command, add_settings, settings_of
from sora_gateway.errors import StartupError

if TYPE_CHECKING:
    from sora_gateway.settings import Settings, Upstream

Finding = tuple[bool, str]
"""Whether it is well, and the line."""


def register(commands: Commands) -> None:
    add_settings(
        add_command(commands, "doctor", "check configuration, data directory and upstreams", _doctor)
    )


def _doctor(arguments: argparse.Namespace) -> int:
    import asyncio

    try:
        settings = settings_of(arguments)
    except StartupError as error:
        return _print([(False, f"configuration: {error}")])
    findings = [(True, "configuration: valid"), *_data_directory(settings)]
    findings += asyncio.run(_upstreams(settings))
    return _print(findings)


def _print(findings: list[Finding]) -> int:
    for well, text in findings:
        print(f"{'ok  ' if well else 'FAIL'}  {text}", flush=True)
    return 0 if all(well for well, _ in findings) else 1


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
    others = directory.root.stat().st_mode & 0o077
    yield (
        not others,
        f"data directory: {directory.root} {'is open to other people: chmod 700' if others else 'is private'}",
    )
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


async def _upstreams(settings: Settings) -> list[Finding]:
    if not settings.upstreams:
        return [(True, "upstreams: none set, the embedded simulator makes the videos")]
    import asyncio

    return await asyncio.gather(*(_probe(name, one, settings) for name, one in settings.upstreams.items()))


async def _probe(name: str, upstream: Upstream, settings: Settings) -> Finding:
    from sora_gateway.clock import SystemClock
    from sora_gateway.wiring import adapter_for

    try:
        adapter = adapter_for(name, upstream, settings.media.max_file, SystemClock())
    except StartupError as error:
        return False, f"upstream {name}: {error}"
    try:
        found = await adapter.probe()
    finally:
        await adapter.aclose()
    return found.startswith("ok"), f"upstream {name}: {found.removeprefix('ok: ')}"
