"""The keys that sign: several at a time, each purpose for itself, changed while the gateway runs and while it does not."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.cli import main
from sora_gateway.control import call
from sora_gateway.errors import Conflict, NotFound, StartupError
from sora_gateway.places import DataDirectory
from sora_gateway.signing_keys import KeyRing
from tests.fakes import CountingEntropy
from tests.http_calls import StillClock
from tests.running import person, running, settings_for


def ring_in(directory: Path) -> KeyRing:
    return KeyRing(directory / "secrets" / "signing.key", StillClock(), CountingEntropy())


def test_the_first_start_makes_a_key_for_its_owner_alone(tmp_path: Path) -> None:
    (key,) = ring_in(tmp_path).keys
    path = tmp_path / "secrets" / "signing.key"
    assert (key.id, path.stat().st_mode & 0o777) == ("1", 0o600)
    assert ring_in(tmp_path).keys == [key]


def test_the_file_of_one_key_from_before_is_key_1(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    path.write_text("s" * 43)
    ring = KeyRing(path, StillClock(), CountingEntropy())
    assert [(key.id, key.secret) for key in ring.keys] == [("1", "s" * 43)]
    ring.rotate()
    assert [key.id for key in KeyRing(path, StillClock(), CountingEntropy()).keys] == ["1", "2"]


@pytest.mark.parametrize(
    "left",
    ["", "half a key", "{", '{"keys": []}', '{"keys": [{"id": "1"}]}', '{"keys": [1]}', '{"keys": {"a": 1}}',
     '{"keys": [{"id": "1", "secret": "short", "created_at": 1}]}',
     '{"keys": [{"id": "one", "secret": "%s", "created_at": 1}]}' % ("s" * 43)],
)  # fmt: skip
def test_a_damaged_file_is_refused_and_not_replaced(left: str, tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    path.write_text(left)
    with pytest.raises(StartupError, match="damaged"):
        KeyRing(path, StillClock(), CountingEntropy())
    assert path.read_text() == left


def test_the_newest_signs_and_all_verify_until_they_are_dropped(tmp_path: Path) -> None:
    ring = ring_in(tmp_path)
    signer = ring.signer("share.v1")
    old = signer.sign("boat")
    assert ring.rotate().id == "2"
    new = signer.sign("boat")
    assert (old.split(".")[1], new.split(".")[1]) == ("1", "2")
    assert signer.verify(old) == signer.verify(new) == "boat"
    ring.drop("1")
    assert signer.verify(old) is None
    assert signer.verify(new) == "boat"
    # Another process, or the next start, has the same keys.
    assert ring_in(tmp_path).signer("share.v1").verify(new) == "boat"


def test_the_key_that_signs_is_not_dropped_and_no_id_is_given_twice(tmp_path: Path) -> None:
    ring = ring_in(tmp_path)
    with pytest.raises(Conflict):
        ring.drop("1")
    with pytest.raises(NotFound):
        ring.drop("2")
    ring.rotate()
    ring.drop("1")
    assert ring.rotate().id == "3"


def test_what_was_signed_for_one_purpose_is_worth_nothing_for_another(tmp_path: Path) -> None:
    ring = ring_in(tmp_path)
    signed = ring.signer("media.v1").sign("boat")
    for purpose in ("share.v1", "oidc.v1", "media.v2", ""):
        assert ring.signer(purpose).verify(signed) is None


@given(text=st.text(max_size=40), other=st.text(max_size=60))
def test_any_text_comes_back_and_any_other_is_refused(
    text: str, other: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "signing.key"
    signer = KeyRing(path, StillClock(), CountingEntropy()).signer("oidc.v1")
    signed = signer.sign(text)
    assert signer.verify(signed) == text
    assert signer.verify(other) is None or other == signed
    assert signer.verify(f"x{signed}") is None
    # The key's id is signed as well.
    assert signer.verify(f"{text}.2.{signed.rpartition('.')[2]}") is None


async def test_a_running_gateway_signs_with_the_new_key_at_once(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        operate = gateway_operation(tmp_path)
        task = await ann.comes_to((await ann.make())["videoId"], "completed")
        old = task["videoUrl"]
        assert (await operate("signing_key.rotate"))["id"] == "2"
        new = (await ann.task(task["videoId"]))["videoUrl"]
        signed_by = [parse_qs(urlsplit(url).query)["signedBy"] for url in (old, new)]
        assert signed_by == [["1"], ["2"]]
        async with httpx.AsyncClient(base_url=gateway.address, trust_env=False) as nobody:
            for url in (old, new):
                assert (await nobody.get(url)).status_code == 200
            # From before there were several keys: the address does not say by which it was signed.
            assert (await nobody.get(old.replace("&signedBy=1", ""))).status_code == 200
            assert (await nobody.get(new.replace("&signedBy=2", ""))).status_code == 403
            await operate("signing_key.drop", key_id="1")
            assert (await nobody.get(old)).status_code == 403
            assert (await nobody.get(new)).status_code == 200
        shown = await operate("signing_key.list")
        assert [(key["id"], key["signs"]) for key in shown] == [("2", True)]
        assert "secret" not in json.dumps(shown)
        (noted,) = await gateway.store.audited("signing key 1")
        assert (noted.actor, noted.action) == ("command line", "signing_key.drop")


def gateway_operation(data_dir: Path):  # type: ignore[no-untyped-def] # its answer is JSON
    import asyncio

    async def operate(name: str, **arguments: str) -> object:
        return await asyncio.to_thread(call, DataDirectory(data_dir).control, name, arguments)

    return operate


def test_the_commands_work_while_no_gateway_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--data-dir", str(tmp_path / "data")]
    assert main(["signing-key", "rotate", *where]) == 0
    assert "Key 2 signs from now on" in capsys.readouterr().out
    assert main(["signing-key", "list", *where]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["1", "2"]
    assert main(["signing-key", "drop", "2", *where]) == 1
    assert "make a new one first" in capsys.readouterr().err
    assert main(["signing-key", "drop", "1", *where]) == 0
    assert main(["signing-key", "drop", "1", *where]) == 1
