"""What a start refuses or warns of: secrets that protect nothing, and data that other people can read."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sora_gateway.app import opened
from sora_gateway.core.webhook_signature import is_strong
from sora_gateway.errors import StartupError
from sora_gateway.places import DataDirectory
from sora_gateway.settings import load_settings
from sora_gateway.store import schema
from tests.canaries import ADDED_KEY
from tests.running import person, running, settings_for
from tests.stores import EPOCH, MIGRATIONS

RANDOM = base64.b64encode(bytes(range(24))).decode()


# --- secrets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret",
    ["x", "changeme", "whsec_c2hvcnQ=", "a" * 64, "whsec_" + "A" * 64, "abcabc" * 10, base64.b64encode(b"x" * 23).decode()],
)  # fmt: skip
def test_a_webhook_secret_that_can_be_guessed_keeps_the_gateway_from_starting(
    secret: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[upstreams.lab]\nbase_url = "http://127.0.0.1:1"\nwebhook_secret = "{secret}"\n')
    with pytest.raises(StartupError) as refused:
        load_settings(config)
    assert "upstreams.lab.webhook_secret: Value error, must be 24 random bytes or more" in str(refused.value)
    assert secret not in str(refused.value) or secret == "x"


@pytest.mark.parametrize("secret", [RANDOM, f"whsec_{RANDOM}", "a long one that is no base64: 1234"])
def test_a_webhook_secret_of_24_bytes_is_taken(secret: str, tmp_path: Path) -> None:
    assert is_strong(secret)
    config = tmp_path / "config.toml"
    config.write_text(f'[upstreams.lab]\nbase_url = "http://127.0.0.1:1"\nwebhook_secret = "{secret}"\n')
    assert load_settings(config).upstreams["lab"].webhook_secret.get_secret_value() == secret


@pytest.mark.parametrize("left", [b"", b"\n", b"half of the key"])
async def test_a_signing_key_that_is_damaged_keeps_the_gateway_from_starting(
    left: bytes, tmp_path: Path
) -> None:
    (tmp_path / "secrets").mkdir(mode=0o700)
    key = tmp_path / "secrets" / "signing.key"
    key.write_bytes(left)
    with pytest.raises(StartupError, match="is damaged; restore it, or delete it"):
        async with opened(settings_for(tmp_path)):
            pass
    key.unlink()
    async with running(settings_for(tmp_path)):
        assert len(key.read_bytes()) >= 32


async def test_an_added_upstream_whose_secret_is_too_weak_by_now_keeps_nothing_else_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that came later must not lock an administrator out, who alone can put it right."""
    body = {"baseUrl": "http://127.0.0.1:1/v1", "webhookSecret": "x"}
    async with running(settings_for(tmp_path)) as gateway, person(gateway, role="admin") as eve:
        refused = await eve.http.put("/api/admin/upstreams/lab", json=body)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "webhook_secret")
        with monkeypatch.context() as patch:
            patch.setattr("sora_gateway.settings.is_strong", lambda secret: True)
            assert (await eve.http.put("/api/admin/upstreams/lab", json=body)).status_code == 200
    async with running(settings_for(tmp_path)) as gateway, person(gateway, role="admin") as eve:
        assert "the upstream lab, which was added at run time, cannot be used" in caplog.text
        good = body | {"webhookSecret": RANDOM}
        assert (await eve.http.put("/api/admin/upstreams/lab", json=good)).status_code == 200


async def test_upstreams_that_were_added_wait_when_the_key_to_their_keys_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost by starting: it is said what is missing, and they can be added anew."""
    body = {"baseUrl": "http://127.0.0.1:1/v1", "apiKey": ADDED_KEY}
    async with running(settings_for(tmp_path)) as gateway, person(gateway, role="admin") as eve:
        assert (await eve.http.put("/api/admin/upstreams/lab", json=body)).status_code == 200
    (tmp_path / "secrets" / "upstreams.key").unlink()
    async with running(settings_for(tmp_path)) as gateway, person(gateway, role="admin") as eve:
        assert "restore that file, or add them anew" in caplog.text
        assert (await eve.get("/api/admin/upstreams/lab")).status_code == 404
        assert (await eve.http.put("/api/admin/upstreams/lab", json=body)).status_code == 200


@pytest.mark.parametrize("password", ["short", "password", "ada@example.org"])
async def test_a_first_administrator_with_a_weak_password_keeps_the_gateway_from_starting(
    password: str, tmp_path: Path
) -> None:
    accounts = {"admin_email": "ada@example.org", "admin_password": password}
    with pytest.raises(StartupError, match=r"accounts\.admin_password cannot be used"):
        async with opened(settings_for(tmp_path, accounts=accounts)):
            pass


# --- files ---------------------------------------------------------------------------------------------


@pytest.fixture
def open_umask() -> Iterator[None]:
    """As if nobody had ever thought of other people."""
    before = os.umask(0)
    yield
    os.umask(before)


def readable_by_others(root: Path) -> list[str]:
    return [
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]


@pytest.mark.usefixtures("open_umask")
async def test_everything_in_a_data_directory_is_its_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running(settings_for(data)) as gateway, person(gateway, role="admin") as eve:
        await eve.comes_to((await eve.make())["videoId"], "completed")
        body = {"baseUrl": "http://127.0.0.1:1/v1", "apiKey": ADDED_KEY}
        assert (await eve.http.put("/api/admin/upstreams/lab", json=body)).status_code == 200
        there = {path.name for path in data.rglob("*")}
        assert {"gateway.db", "gateway.db-wal", "control.sock", "signing.key", "upstreams.key"} <= there
        assert any((data / "media").rglob("*"))
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert readable_by_others(data) == []
    assert readable_by_others(data) == []


@pytest.mark.usefixtures("open_umask")
def test_a_backup_before_a_migration_is_its_owners_alone(tmp_path: Path) -> None:
    database = tmp_path / "gateway.db"
    schema.prepare(database, MIGRATIONS, 0.0, EPOCH)
    backup = schema._backup(database, "0001", 0.0)
    assert backup.stat().st_size > 0
    assert readable_by_others(tmp_path) == []


async def test_a_data_directory_that_others_can_look_into_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(settings_for(tmp_path / "data")):
        pass
    assert "other people" not in caplog.text
    data = tmp_path / "data"
    (data / "secrets" / "signing.key").chmod(0o644)
    assert DataDirectory(data).open_to_others() == []
    data.chmod(0o755)
    async with running(settings_for(data)):
        pass
    assert [record.getMessage() for record in caplog.records if "other people" in record.getMessage()] == [
        f"other people on this machine can look into {path}; make it private with: chmod go= {path}"
        for path in (data, data / "secrets" / "signing.key")
    ]
