"""The files of ``deploy/proxies`` as a test uses them: addresses, ports and the certificate are replaced, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.generated import ROOT

DIRECTORY = ROOT / "deploy" / "proxies"
INSTEAD = "# Below a path, in place of the line above:"
"""The comments after this one are what a reader writes in place of the line before it."""


@dataclass(frozen=True)
class Stand:
    """Where a proxy stands: the ports that it takes, and the gateway's. *host* is what people call it; *certificate* is a
    file with certificate and key; *idle* is how long it waits for a sign of life, where it is not as it is shipped."""

    gateway: int
    http: int
    https: int
    host: str
    certificate: Path
    below: bool = False
    idle: str = "120s"


def nginx(stand: Stand) -> str:
    return _replaced(
        "nginx.conf",
        stand.below,
        {
            "127.0.0.1:8000": f"127.0.0.1:{stand.gateway}",
            "https://videos.example.org$request_uri": f"https://{stand.host}:{stand.https}$request_uri",
            "videos.example.org": stand.host,
            "listen 80;": f"listen 127.0.0.1:{stand.http};",
            "listen 443 ssl": f"listen 127.0.0.1:{stand.https} ssl",
            # In place of IPv6, which not every machine has.
            "listen [::]:80;": f"listen 127.0.0.2:{stand.http};",
            "listen [::]:443 ssl": f"listen 127.0.0.2:{stand.https} ssl",
            "/etc/ssl/videos.pem": str(stand.certificate),
            "/etc/ssl/videos.key": str(stand.certificate),
            "120s": stand.idle,
        },
    )


def caddy(stand: Stand) -> str:
    site = _replaced(
        "Caddyfile",
        stand.below,
        {
            "127.0.0.1:8000": f"127.0.0.1:{stand.gateway}",
            "videos.example.org": stand.host,
            "# tls /etc/ssl/videos.pem /etc/ssl/videos.key": f"tls {stand.certificate} {stand.certificate}",
        },
    )
    options = f"admin off\ndefault_bind 127.0.0.1\nhttp_port {stand.http}\nhttps_port {stand.https}"
    return f"{{\n{options}\n}}\n{site}"


def haproxy(stand: Stand) -> str:
    return _replaced(
        "haproxy.cfg",
        stand.below,
        {
            "127.0.0.1:8000": f"127.0.0.1:{stand.gateway}",
            "https://videos.example.org": f"https://{stand.host}:{stand.https}",
            "bind :80": f"bind 127.0.0.1:{stand.http}",
            "bind :443": f"bind 127.0.0.1:{stand.https}",
            "/etc/ssl/videos.pem": str(stand.certificate),
            "120s": stand.idle,
        },
    )


RECIPES: Mapping[str, Callable[[Stand], str]] = {"nginx": nginx, "caddy": caddy, "haproxy": haproxy}


def _replaced(name: str, below: bool, table: Mapping[str, str]) -> str:
    text = (DIRECTORY / name).read_text(encoding="utf-8")
    if below:
        text = below_a_path(text)
    for shipped, here in table.items():
        assert shipped in text, f"{shipped} is not in {name} any more"
        text = text.replace(shipped, here)
    return text


def below_a_path(text: str) -> str:
    """*text* with the lines that it has for a gateway below a path."""
    lines: list[str] = []
    instead = False
    for line in text.splitlines(keepends=True):
        word = line.strip()
        if word == INSTEAD:
            lines.pop()
            instead = True
        elif instead and word.startswith("# "):
            lines.append(line.replace("# ", "", 1))
        else:
            instead = False
            lines.append(line)
    return "".join(lines)
