"""What a start does not do: whatever only some processes need is imported when it is needed. No times here."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from sora_gateway import cli

SERVE = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules))))
from sora_gateway.cli import main
sys.exit(main(["serve", "--port", "0", "--data-dir", sys.argv[1]]))
"""

NOT_BEFORE = {
    "sqlalchemy": "a migration",
    "sqlmodel": "a migration",
    "alembic": "a migration",
    "argon2": "a password",
    "httpx": "a request to an upstream",
    "httpcore": "a request to an upstream",
    "PIL": "an image",
    "av": "a video",
    "prometheus_client": "somebody who asks for metrics",
    "opentelemetry": "tracing.endpoint",
    "sentry_sdk": "sentry.dsn",
    "uvicorn.protocols.websockets.websockets_sansio_impl": "a WebSocket",
    "sora_gateway.http.table": "a request for anything but whether it lives",
    "sora_gateway.http.openapi": "a look at the description",
    "sora_gateway.accounts.oidc": "somebody who asks how to sign in",
    "sora_gateway.core.messages": "somebody who follows a video",
    "sora_gateway.core.views": "somebody who looks at a video",
    "sora_gateway.operations": "a command over the control socket",
    "sora_gateway.diagnosis": "an administrator who tries an upstream",
    "sora_gateway.upstream.chat_stream": "an upstream that speaks in a chat",
    "sora_gateway.store.administration": "an administrator",
    "itsdangerous": "something to sign",
    "sora_gateway.alerts.alerter": "a destination of alerts",
    "sora_gateway.alerts.troubles": "a destination of alerts",
    "sora_gateway.alerts.post": "a destination of alerts",
    "sora_gateway.alerts.services": "a destination of alerts",
    "sora_gateway.alerts.wording": "an alert",
    "sora_gateway.core.alerts": "a destination of alerts",
    "sora_gateway.backup.keeping": "backup.directory",
    "sora_gateway.cli.inspection": "another command",
    "sora_gateway.bench": "a benchmark",
    "sora_gateway.upstream.simulator": "a simulated video",
}
"""Module -> what it waits for."""


def modules_of_a_gateway(data_dir: Path) -> set[str]:
    """Everything that a gateway has imported between its start and its end, with one look at ``/ready``."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=data_dir.parent,
    ) as process:
        try:
            assert process.stdout is not None
            connection = http.client.HTTPConnection(
                urlsplit(process.stdout.readline().split()[-1]).netloc, timeout=30
            )
            connection.request("GET", "/ready")
            assert connection.getresponse().status == 200
            connection.close()
            process.terminate()
            return set(json.loads(process.stdout.read().splitlines()[-1]))
        finally:
            process.kill()


def test_a_start_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    for start in ("the first", "one with a database"):
        modules = modules_of_a_gateway(tmp_path / "data")
        assert "sora_gateway.http.application" in modules
        early = {name: reason for name, reason in NOT_BEFORE.items() if name in modules}
        assert early == {}, f"{start} start imports what should wait"


def test_every_command_is_found_without_making_the_others() -> None:
    for command in cli.COMMANDS:
        usage = cli._parser(command).format_help()
        assert command in usage
    everything = cli._parser().format_help().split("COMMAND\n")[-1]
    # What explains a long name stands on a line of its own, further in.
    assert re.findall(r"^ {4}(\S+)", everything, re.MULTILINE) == list(cli.COMMANDS)
