"""A system that lets a process have few open files: more connections than that are refused, and the rest goes on."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from sora_gateway import descriptors
from tests.snippets import CONFIG, environment

ALLOWED = descriptors.SPARE + 40


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of a gateway in a process that may have :data:`ALLOWED` open files, and no more."""
    (tmp_path / "config.toml").write_text(CONFIG)
    process = subprocess.Popen(
        ["bash", "-c", f'ulimit -n {ALLOWED}; exec "$0" -m sora_gateway serve', sys.executable],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    yield int(process.stdout.readline().rpartition(":")[2])
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def answer(connection: HTTPConnection) -> int:
    """The status; the connection stays open where the gateway lets it."""
    connection.request("GET", "/ready")
    response = connection.getresponse()
    response.read()
    return response.status


def test_connections_beyond_the_open_files_that_there_are_get_an_answer_too(port: int) -> None:
    with ExitStack() as stack:
        made = [
            stack.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=5))) for _ in range(2 * 40)
        ]
        assert [answer(connection) for connection in made] == [200] * 40 + [503] * 40
        assert answer(made[0]) == 200
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as later:
        assert answer(later) == 200


@pytest.mark.parametrize(
    ("wanted", "allowed", "given"),
    [(25_000, 1_048_576, 25_000), (25_000, 1024, 824), (0, 1024, 824), (10, 1024, 10), (10, 100, 1), (7, -1, 7), (0, -1, 0)],
)  # fmt: skip
def test_the_limit_is_what_is_wanted_or_what_there_is(
    wanted: int, allowed: int, given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (allowed, allowed))
    assert descriptors.connections(wanted) == given
