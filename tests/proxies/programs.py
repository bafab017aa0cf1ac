"""A gateway and proxies as processes, which end with the test run and are ended by their ids."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.canaries import leaks
from tests.generated import ROOT
from tests.proxies.recipes import RECIPES, Stand

STARTS_WITHIN = 20.0
COMMANDS: Mapping[str, Sequence[str]] = {
    "nginx": ("nginx", "-e", "stderr", "-c"),
    "caddy": ("caddy", "run", "--adapter", "caddyfile", "--config"),
    # A warning is an error: nobody reads them on their own machine.
    "haproxy": ("haproxy", "-db", "-dW", "-f"),
}
NGINX = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr error;
events {{ worker_connections 256; }}
http {{
    access_log off;
    gzip on;  # as Debian has it
    client_body_temp_path {directory};
    proxy_temp_path {directory};
    fastcgi_temp_path {directory};
    uwsgi_temp_path {directory};
    scgi_temp_path {directory};
    include {site};
}}
"""


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@dataclass
class Program:
    """A command that serves on *port*; it starts and ends as often as it is told to. Its output goes to *log*."""

    command: Sequence[str]
    port: int
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns as soon as it takes connections."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("SORA_GATEWAY_")}
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self.command, cwd=ROOT, env={**ours, **self.environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )  # fmt: skip
        ends = time.monotonic() + STARTS_WITHIN
        while not self._takes_connections():
            assert self._process.poll() is None, f"{self.command[0]} ended: {self.said}"
            assert time.monotonic() < ends, f"{self.command[0]} takes no connections: {self.said}"
            time.sleep(0.02)

    def _takes_connections(self) -> bool:
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def begin_to_end(self) -> None:
        """Tells it to stop."""
        assert self._process is not None
        self._process.terminate()

    def ended(self) -> int:
        """Its exit code, when it has stopped."""
        assert self._process is not None
        return self._process.wait(20)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(20)


@contextmanager
def proxy(kind: str, stand: Stand, directory: Path) -> Iterator[None]:
    """The proxy with the shipped configuration, moved to *stand*."""
    directory.mkdir()
    configuration = directory / "configuration"
    configuration.write_text(RECIPES[kind](stand), encoding="utf-8")
    if kind == "nginx":
        site, configuration = configuration, directory / "nginx.conf"
        configuration.write_text(NGINX.format(directory=directory, site=site), encoding="utf-8")
    program, *arguments = COMMANDS[kind]
    # Debian has them where only root looks.
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert path, (
        f"there is no {program} here: apt-get install --no-install-recommends nginx-light caddy haproxy"
    )
    home = {"XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory), "HOME": str(directory)}
    running = Program((path, *arguments, str(configuration)), stand.https, directory / "log", home)
    running.start()
    try:
        yield
    finally:
        running.kill()
    assert "[emerg]" not in running.said, running.said


@contextmanager
def gateway(configuration: Path, data: Path, port: int) -> Iterator[Program]:
    """A gateway on *data*, which said nothing that it should not have when it ends."""
    serve = ["serve", "--config", str(configuration), "--data-dir", str(data), "--port", str(port)]
    log = data.with_name(f"{data.name}.log")
    running = Program([sys.executable, "-m", "tests.proxies.quick_pings", *serve], port, log)
    running.start()
    try:
        yield running
        running.begin_to_end()
        assert running.ended() == 0, running.said
    finally:
        running.kill()
    assert leaks(running.said) == []
