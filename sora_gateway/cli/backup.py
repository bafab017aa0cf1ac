"""``backup`` and ``restore``: they need no gateway, and ``backup`` minds none."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sora_gateway.cli.options import Commands, add_command, add_settings, number, settings_of
from sora_gateway.errors import StartupError


def register(commands: Commands) -> None:
    backup = add_command(commands, "backup", "save the database, the files and the keys", _backup)
    backup.add_argument(
        "directory",
        nargs="?",
        type=Path,
        metavar="DIRECTORY",
        help="where backups are kept (backup.directory, else backups/ in the data directory)",
    )
    backup.add_argument(
        "--keep", type=number(int, 1, 10_000), metavar="N", help="afterwards, remove all but the newest N"
    )
    backup.add_argument(
        "--without-secrets",
        action="store_true",
        help="leave out the keys; a restore needs them from elsewhere",
    )
    add_settings(backup)
    restore = add_command(commands, "restore", "put a backup back, or check one", _restore)
    restore.add_argument("backup", type=Path, metavar="BACKUP", help="a backup, or the copy of a database")
    restore.add_argument(
        "--verify", action="store_true", help="only look through the backup; nothing is touched"
    )
    restore.add_argument(
        "--replace", action="store_true", help="move what is in the data directory aside; nothing is deleted"
    )
    restore.add_argument(
        "--resume-queued",
        action="store_true",
        help="send waiting videos; only if the old gateway never ran after the backup, else they are paid twice",
    )
    restore.add_argument(
        "--despite-faults",
        action="store_true",
        help="put back also what breaks promises, such as books that do not balance; never what is damaged",
    )
    add_settings(restore)


def _backup(arguments: argparse.Namespace) -> int:
    from importlib.metadata import version

    from sora_gateway.backup.making import make
    from sora_gateway.clock import SystemClock
    from sora_gateway.places import DataDirectory

    settings = settings_of(arguments)
    places = DataDirectory(settings.data_dir)
    configured = Path(settings.backup.directory) if settings.backup.directory else places.root / "backups"
    made = make(
        places,
        arguments.directory or configured,
        SystemClock().now(),
        version("sora-gateway"),
        secrets=not arguments.without_secrets,
        keep=int(arguments.keep or 0),
        say=_say,
    )
    for path in made.manifest.missing:
        _say(f"gone or damaged in the data directory: {path}")
    print(made.summary())
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from sora_gateway.backup.restoring import Restoring
    from sora_gateway.clock import SystemClock
    from sora_gateway.entropy import SystemEntropy
    from sora_gateway.logs.lines import warn_on_stderr
    from sora_gateway.places import DataDirectory, shipped

    if arguments.verify:
        return _verify(arguments.backup)
    settings = settings_of(arguments)
    warn_on_stderr(settings.secrets())
    places = DataDirectory(settings.data_dir)
    restoring = Restoring(places, shipped("migrations"), SystemClock(), SystemEntropy(), _say)
    with _harmless():
        done = restoring.run(
            arguments.backup,
            replace=arguments.replace,
            resume_queued=arguments.resume_queued,
            despite_faults=arguments.despite_faults,
        )
    for fault in done.faults:
        _tell(f"Not right, and put back as it was: {fault}")
    if done.asides:
        print(f"What was there is at {' and '.join(map(str, done.asides))}.")
    print(
        f"{places.root} is as it was at {done.moment}; {done.sessions} sessions were ended, everybody signs in again."
    )
    if done.held:
        print(
            f"{done.held} videos may have been sent after that, and are held: `sora-gateway unknown list` once the"
            " gateway has looked for them."
        )
    print(
        "What was revoked or disabled after the backup works again: API keys, signing keys, webhooks, links, people."
    )
    return 0


def _verify(backup: Path) -> int:
    from sora_gateway.backup.verifying import verified
    from sora_gateway.places import shipped

    if backup.is_file():
        raise StartupError(f"{backup} is a file; --verify checks a backup, which is a directory.")
    with _harmless():
        verdict = verified(backup, shipped("migrations"), _say)
    for complaint in verdict.complaints:
        _tell(complaint)
    for path in verdict.manifest.missing:
        _tell(f"{path} was gone or damaged already when the backup was made")
    if verdict.complaints:
        _tell(f"{backup} is damaged; take another one.")
        return 1
    rows = verdict.manifest.rows
    _tell(
        f"{backup} is whole: {rows['jobs']} jobs, {len(verdict.manifest.files)} files, made at"
        f" {verdict.manifest.made_at} by sora-gateway {verdict.manifest.gateway}."
    )
    return 0


@contextmanager
def _harmless() -> Iterator[None]:
    """Names out of a backup may be a stranger's: in errors nothing steers the terminal, or looks like a line of ours."""
    from sora_gateway.logs.lines import printable

    try:
        yield
    except StartupError as error:
        raise StartupError(printable(str(error))) from None


def _tell(text: str) -> None:
    """The same for what is printed."""
    from sora_gateway.logs.lines import printable

    print(printable(text))


def _say(text: str) -> None:
    """Not on standard output: what reads that wants the result."""
    print(f"{text} ...", file=sys.stderr)
