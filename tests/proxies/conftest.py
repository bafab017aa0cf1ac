"""Two gateways, one of them below a path, and each proxy in front of both; all of them for the whole run."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect

from sora_gateway.accounts.authenticator import Authenticator
from sora_gateway.clock import SystemClock
from sora_gateway.core.principal import EVERYTHING, Role
from sora_gateway.store import Store, schema
from tests.canaries import CanaryEntropy
from tests.generated import ROOT
from tests.proxies.programs import Program, free_port, gateway, proxy
from tests.proxies.recipes import RECIPES, Stand
from tests.stores import EPOCH, MIGRATIONS

HOST, SHARED_HOST = "videos.example.org", "example.org"
PAGE = ROOT / "docs" / "proxies.md"
HEARTBEAT = 0.5
PLACES = 10
"""Live connections of one person at once."""
CONFIG = f"""
{{server}}
[simulator]
duration = 0.5
sigma = 0
render = "clip"
directives = true
[polling]
policy = "fixed"
min_interval = 0.2
[media]
min_free_disk = 0
[realtime]
heartbeat = {HEARTBEAT}
per_person = {PLACES}
"""
PEOPLE: tuple[tuple[str, Role], ...] = (("ann", "admin"), ("bob", "member"))
VISITOR = "127.0.0.7"
"""Where visitors come from: not the proxies' address, which is 127.0.0.1."""


@dataclass
class House:
    """A gateway with Ann, who administers it. *links* are tokens that sign her in, each once. Bob is somebody else."""

    program: Program
    key: str
    bobs_key: str
    links: list[str]
    host: str
    path: str


@dataclass
class Site:
    """A house as the world sees it: through one proxy."""

    house: House
    stand: Stand
    tls: ssl.SSLContext
    kind: str

    @property
    def origin(self) -> str:
        return f"https://{self.house.host}:{self.stand.https}"

    @property
    def address(self) -> str:
        return self.origin + self.house.path

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.house.key}"}

    def visitor(self, **headers: str) -> httpx.AsyncClient:
        """Somebody without a key; their addresses begin with a slash, below the gateway's path."""
        transport = httpx.AsyncHTTPTransport(verify=self.tls, local_address=VISITOR)
        return httpx.AsyncClient(
            base_url=self.address, transport=transport, headers=headers, trust_env=False, timeout=20
        )

    def ann(self) -> httpx.AsyncClient:
        """Ann's program."""
        return self.visitor(**self.headers)

    def bob(self) -> httpx.AsyncClient:
        return self.visitor(Authorization=f"Bearer {self.house.bobs_key}")

    def socket(self, **options: Any) -> connect:
        """Ann's WebSocket, or with *headers* somebody's."""
        headers = options.pop("headers", self.headers)
        address = f"{self.address.replace('https', 'wss', 1)}/ws"
        return connect(
            address, additional_headers=headers, ssl=self.tls, proxy=None, local_addr=(VISITOR, 0), **options
        )

    def curl(self, path: str, *options: str, body: bytes = b"") -> tuple[str, str]:
        """Ann's request over HTTP/2, as browsers ask: what arrives of the answer, and its version and status as ``2 200``."""
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--http2", "--noproxy", "*", "--max-time", "20",
             "--cacert", str(self.stand.certificate), "--resolve", f"{self.house.host}:{self.stand.https}:127.0.0.1",
             "--write-out", "\n%{http_version} %{http_code}", "--header", f"Authorization: Bearer {self.house.key}",
             *options, self.address + path],
            input=body, check=False, capture_output=True, timeout=30,
        )  # fmt: skip
        answer, _, status = done.stdout.decode().rpartition("\n")
        return answer, status


# --- what all of them share --------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a new certificate for both hosts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST), x509.DNSName(SHARED_HOST)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    kind, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("certificate") / "videos.pem"
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, kind, encryption))
    return path


@pytest.fixture(scope="session")
def tls(certificate: Path) -> ssl.SSLContext:
    """Trusts that certificate, and checks the name."""
    return ssl.create_default_context(cafile=str(certificate))


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts are on this machine."""
    ask = socket.getaddrinfo

    def answer(host: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return ask("127.0.0.1" if name in (HOST, SHARED_HOST) else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


# --- the gateways ------------------------------------------------------------------------------------


async def furnish(data: Path, links: int) -> tuple[list[str], list[str]]:
    """Ann and Bob move into an empty data directory; their keys, and tokens of one-time links for Ann."""
    clock, entropy = SystemClock(), CanaryEntropy()
    database = data / "gateway.db"
    schema.prepare(database, MIGRATIONS, clock.now(), EPOCH)
    async with Store(database, lambda events: None) as store:
        accounts = Authenticator(store, clock, entropy)
        keys = []
        for name, role in PEOPLE:
            await store.people.create_user(f"user_{name}", f"{name}@example.org", role, None, 0, clock.now())
            key, _ = await accounts.create_key(f"user_{name}", "test", EVERYTHING)
            keys.append(key)
        return keys, [await accounts.new_login_link("ann@example.org") for _ in range(links)]


@contextmanager
def opened_house(directory: Path, example: str, host: str, path: str) -> Iterator[House]:
    """A gateway with the configuration that the page has as *example*."""
    found = re.search(
        rf"<!-- tested: {example} -->\n```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    configuration = directory / "config.toml"
    configuration.write_text(CONFIG.format(server=found[1]), encoding="utf-8")
    (directory / "data").mkdir()
    keys, links = asyncio.run(furnish(directory / "data", len(RECIPES)))
    with gateway(configuration, directory / "data", free_port()) as program:
        yield House(program, keys[0], keys[1], links, host, path)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with opened_house(tmp_path_factory.mktemp("house"), "proxy", HOST, "") as house:
        yield house


@pytest.fixture(scope="session")
def house_below(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with opened_house(tmp_path_factory.mktemp("below"), "path", SHARED_HOST, "/videos") as house:
        yield house


# --- the proxies -------------------------------------------------------------------------------------


@dataclass
class Street:
    """Every proxy that stands somewhere; each begins when it is first asked for."""

    directory: Path
    certificate: Path
    tls: ssl.SSLContext
    stack: ExitStack
    sites: dict[tuple[str, str, str], Site] = field(default_factory=dict)

    def site(self, kind: str, house: House, idle: str = "120s") -> Site:
        known = (kind, house.path, idle)
        if known not in self.sites:
            below = bool(house.path)
            stand = Stand(
                house.program.port, free_port(), free_port(), house.host, self.certificate, below, idle
            )
            self.stack.enter_context(proxy(kind, stand, self.directory / f"{kind}-{len(self.sites)}"))
            self.sites[known] = Site(house, stand, self.tls, kind)
        return self.sites[known]


@pytest.fixture(scope="session")
def street(
    tmp_path_factory: pytest.TempPathFactory,
    certificate: Path,
    tls: ssl.SSLContext,
    house: House,
    house_below: House,
) -> Iterator[Street]:
    """Ends before the gateways do."""
    with ExitStack() as stack:
        yield Street(tmp_path_factory.mktemp("proxies"), certificate, tls, stack)


@pytest.fixture(params=list(RECIPES))
def site(request: pytest.FixtureRequest, street: Street, house: House) -> Site:
    return street.site(request.param, house)


@pytest.fixture(params=list(RECIPES))
def site_below(request: pytest.FixtureRequest, street: Street, house_below: House) -> Site:
    return street.site(request.param, house_below)
