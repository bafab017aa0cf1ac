"""The command line, as a person uses it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.app import Gateway, opened
from sora_gateway.cli import main
from sora_gateway.cli.demo import demo_settings
from sora_gateway.settings import Settings
from sora_gateway.store.schema import HEAD
from tests.pictures import BLACK, GREEN, RED, decoded, encoded, striped
from tests.raw_server import always, answer, serving_raw


@pytest.fixture(autouse=True)
def _an_empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.upper().startswith("SORA_GATEWAY_"):
            monkeypatch.delenv(name)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A running gateway on ``data``, where the command line looks by itself; its videos take half a second."""
    simulator: Any = {"duration": 0.5, "sigma": 0.0, "render": "clip"}
    async with opened(Settings(server={"port": 0}, simulator=simulator)) as gateway:  # type: ignore[arg-type]
        yield gateway


def beginning(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(16)


async def run(*arguments: str) -> int:
    """Beside a gateway in this process the command needs a thread of its own."""
    return await asyncio.to_thread(main, arguments)


def program(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The command as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "sora_gateway", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


@pytest.fixture
def outcome(capsys: pytest.CaptureFixture[str]) -> Any:
    """Standard output and standard error since the last look."""
    return capsys.readouterr


# --- usage and errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["dance"],
        ["user", "create"],
        ["user", "create", "ada@example.org", "--role", "king"],
        ["user", "set-password", "ada@example.org"],
        ["watch"],
        ["watch", "video_1", "--all"],
        ["serve", "--port", "many"],
        ["serve", "--port", "65536"],
        ["simulate", "--port", "99999"],
        ["simulate", "--failure-rate", "7"],
        ["simulate", "--duration", "nan"],
        ["serve", "--po", "1"],
    ],
)
def test_wrong_usage_is_explained_and_ends_with_2(wrong: list[str], outcome: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        main(wrong)
    assert caught.value.code == 2
    assert "usage: sora-gateway" in outcome().err


def test_help_and_version_need_nothing(outcome: Any) -> None:
    for option in ("--help", "--version"):
        with pytest.raises(SystemExit) as caught:
            main([option])
        assert caught.value.code == 0
    assert re.search(r"^sora-gateway \d+\.\d+", outcome().out, re.MULTILINE)


def test_a_command_whose_output_was_closed_does_its_work_and_prints_into_no_file_of_ours() -> None:
    closed = ["sh", "-c", 'exec "$0" -m sora_gateway "$@" <&- >&-', sys.executable]
    done = subprocess.run(
        [*closed, "user", "create", "ada@example.org"], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    with program("user", "list") as process:
        out, _ = process.communicate(timeout=30)
    assert out.startswith("ada@example.org")


def test_what_the_terminal_cannot_show_is_escaped() -> None:
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    with program("user", "create", "zoë@example.org", env=ascii_only) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "Added zo\\xeb@example.org as member.\n", "")


def test_output_that_cannot_be_written_is_one_sentence() -> None:
    for command in (["--version"], ["config", "show"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "sora_gateway", *command],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert (done.returncode, done.stderr) == (1, "sora-gateway: No space left on device.\n")


def test_a_wrong_configuration_is_one_sentence_and_no_traceback() -> None:
    Path("config.toml").write_text("[server]\nprot = 1\n")
    with program("serve") as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert err == "sora-gateway: The configuration is not valid:\n  server.prot: unknown key\n"


def test_a_data_directory_that_cannot_be_is_one_sentence(outcome: Any) -> None:
    Path("file").write_text("")
    assert main(["user", "list", "--data-dir", "file/data"]) == 1
    assert re.fullmatch(r"sora-gateway: The data directory file/data cannot be made .*\n", outcome().err)


def test_nothing_heavy_is_imported_before_a_command_runs() -> None:
    heavy = "{'pydantic', 'starlette', 'uvicorn', 'sqlalchemy', 'httpx', 'asyncio', 'http.client'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, sora_gateway.cli; print({heavy})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"


def test_ctrl_c_ends_a_command_without_a_traceback() -> None:
    with program("simulate", "--port", "0") as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_serve_says_where_it_is_and_how_to_get_in_and_stops_in_order() -> None:
    with program("serve", "--port", "0", "--data-dir", "here") as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(3)]
        assert re.fullmatch(r"sora-gateway is ready at http://127\.0\.0\.1:\d+\n", told[0])
        assert re.search(r"http://127\.0\.0\.1:\d+/#login=\S{43}\n", told[2])
        assert main(["serve", "--port", "0", "--data-dir", "here"]) == 1
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


# --- setting up --------------------------------------------------------------------------------------


def test_init_writes_a_configuration_that_works_and_never_overwrites_one(outcome: Any) -> None:
    assert main(["init", "--data-dir", "here"]) == 0
    assert tomllib.loads(Path("config.toml").read_text())["data_dir"] == "here"
    assert Path("config.toml").stat().st_mode & 0o077 == 0
    assert Path("here").is_dir()
    assert main(["config", "show"]) == 0
    assert 'data_dir = "here"' in outcome().out
    assert main(["init"]) == 1
    assert "already" in outcome().err
    assert not Path("data").exists()


def test_people_and_keys_need_no_running_gateway(monkeypatch: pytest.MonkeyPatch, outcome: Any) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("correct horse\n"))
    assert main(["user", "create", "ada@example.org", "--role", "admin", "--password-stdin"]) == 0
    assert main(["user", "disable", "ada@example.org"]) == 1
    assert "only administrator" in outcome().err
    assert main(["user", "create", "eve@example.org", "--role", "admin"]) == 0
    assert main(["user", "create", "ada@example.org"]) == 1
    assert "already a person" in outcome().err
    assert main(["key", "create", "--user", "ada@example.org", "--name", "ci"]) == 0
    assert re.fullmatch(r"sgw_\S{49}\n", outcome().out)
    assert main(["key", "list"]) == 0
    key_id = outcome().out.split()[0]
    assert main(["key", "revoke", key_id]) == 0
    assert main(["key", "revoke", key_id]) == 1
    assert main(["user", "link", "ada@example.org"]) == 0
    assert re.search(r"^http://127\.0\.0\.1:8000/#login=\S{43}$", outcome().out, re.MULTILINE)
    assert main(["user", "disable", "ada@example.org"]) == 0
    assert main(["user", "list"]) == 0
    assert "disabled 20" in outcome().out
    assert main(["audit", "--limit", "5", "--action", "nothing."]) == 0
    assert "Nobody has done" in outcome().err
    assert main(["audit", "--limit", "0"]) == 1
    for useless in (["user", "link", "ada@example.org"], ["key", "create", "--user", "ada@example.org"]):
        assert main(useless) == 1
        assert "ada@example.org is disabled" in outcome().err


def test_an_empty_password_is_refused(monkeypatch: pytest.MonkeyPatch, outcome: Any) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(""))
    assert main(["user", "create", "ada@example.org", "--password-stdin"]) == 1
    assert "no password on standard input" in outcome().err


def test_the_books_and_the_schema_can_be_checked(outcome: Any) -> None:
    assert main(["migrate"]) == 0
    assert main(["credits", "check"]) == 0
    assert main(["unknown", "list"]) == 0
    told = outcome()
    assert told.out == f"data/gateway.db is at schema {HEAD}.\nThe books balance.\n"
    assert told.err == "Nothing waits for a decision.\n"
    assert main(["unknown", "give-up", "video_0"]) == 1


def test_the_openapi_document_is_printed(outcome: Any) -> None:
    assert main(["openapi"]) == 0
    assert '"/v1/videos"' in outcome().out


# --- doctor ------------------------------------------------------------------------------------------


CLOSE = {"Connection": "close"}
"""The scripted server closes after each answer; it says so, as a client may ask again at once."""


def upstream_at(url: str) -> None:
    Path("config.toml").write_text(f'[upstreams.lab]\nbase_url = "{url}/v1"\napi_key = "canary"\n')


async def test_doctor_is_content_with_an_upstream_that_answers(outcome: Any) -> None:
    async with serving_raw(always(answer(200, {"data": []}, CLOSE))) as server:
        upstream_at(server.url)
        assert await run("doctor") == 0
    assert "ok    upstream lab: it answers" in outcome().out


@pytest.mark.parametrize(("status", "says"), [(401, "refuses our key"), (404, "check base_url")])
async def test_doctor_says_what_is_wrong_with_an_upstream(status: int, says: str, outcome: Any) -> None:
    async with serving_raw(always(answer(status, {}, CLOSE))) as server:
        upstream_at(server.url)
        assert await run("doctor") == 1
    told = outcome().out
    assert re.search(rf"^FAIL  upstream lab: .*{says}", told, re.MULTILINE)
    assert "canary" not in told


def test_doctor_says_what_is_wrong_here(outcome: Any) -> None:
    upstream_at("http://127.0.0.1:1")
    Path("data").mkdir(mode=0o755)
    Path("data/gateway.db").write_text("no database at all")
    assert main(["doctor"]) == 1
    told = outcome().out
    for what in ("data directory: data is open to other people", "database: ", "upstream lab: "):
        assert f"FAIL  {what}" in told


def test_doctor_names_a_wrong_key_of_the_configuration(outcome: Any) -> None:
    Path("config.toml").write_text("nonsense = 1\n")
    assert main(["doctor"]) == 1
    assert "nonsense: unknown key" in outcome().out


# --- making videos -----------------------------------------------------------------------------------


def test_without_a_gateway_a_person_is_told_how_to_start_one(outcome: Any) -> None:
    assert main(["generate", "a paper boat"]) == 1
    assert "start it with `sora-gateway serve`" in outcome().err


def test_another_gateway_needs_a_key_and_never_gets_the_local_one(outcome: Any) -> None:
    assert main(["generate", "a paper boat", "--url", "http://127.0.0.1:1"]) == 1
    assert "SORA_GATEWAY_API_KEY" in outcome().err


async def test_a_prompt_becomes_a_file(gateway: Gateway, outcome: Any) -> None:
    assert await run("generate", "a paper boat", "--output", "boat.mp4") == 0
    *progress, path = outcome().out.splitlines()
    assert path == f"{os.getcwd()}/boat.mp4"
    assert beginning(path)[4:8] == b"ftyp"
    assert progress[-1].endswith("The video is ready.")
    assert await run("watch", progress[0]) == 0


async def test_without_waiting_only_the_id_is_printed(gateway: Gateway, outcome: Any) -> None:
    assert await run("generate", "a paper boat") == 0
    assert re.fullmatch(r"video_[0-9a-f]{32}\n", outcome().out)


@pytest.fixture
def _pictures(tmp_path: Path) -> None:
    (tmp_path / "boat.png").write_bytes(encoded(striped(80, 40)))
    (tmp_path / "page.html").write_text("<!doctype html>")


def nearest(colour: Any) -> tuple[int, int, int]:
    """Edges of other colours are not sharp."""
    return min(
        (RED, GREEN, BLACK), key=lambda known: sum(abs(a - b) for a, b in zip(known, colour, strict=True))
    )


@pytest.mark.usefixtures("_pictures")
@pytest.mark.parametrize(
    ("fit", "colour"), [((), RED), (("--fit", "pad"), BLACK), (("--fit", "stretch"), GREEN)]
)
async def test_a_video_begins_with_an_image(
    fit: tuple[str, ...], colour: tuple[int, int, int], gateway: Gateway, outcome: Any
) -> None:
    wish = ("generate", "a paper boat", "--image", "boat.png", "--size", "1280x720", "--seconds", "4")
    assert await run(*wish, *fit) == 0
    files = await gateway.store.assets(outcome().out.strip())
    sent = decoded((Path("data/media") / files["reference"].path).read_bytes())
    assert sent.size == (1280, 720)
    # Near the top: red where it was cut, black where it was padded, green where it was distorted.
    assert nearest(sent.getpixel((300, 5))) == colour


@pytest.mark.usefixtures("_pictures")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--image", "none.png"), "none.png cannot be read: No such file or directory."),
        (("--image", "."), ". cannot be read: Is a directory."),
        (("--fit", "pad"), "--fit says how an image is made to fit; name the image with --image FILE."),
        (("--image", "page.html"), "The file is not a JPEG, PNG or WebP image"),
    ],
)
async def test_an_image_that_is_none_is_said_before_anything_is_paid(
    options: tuple[str, ...], says: str, gateway: Gateway, outcome: Any
) -> None:
    assert await run("generate", "a paper boat", *options) == 1
    assert outcome().err.startswith(f"sora-gateway: {says}")
    assert await gateway.store.unfinished() == []


async def test_a_bad_wish_is_refused_in_one_sentence(gateway: Gateway, outcome: Any) -> None:
    assert await run("generate", "a paper boat", "--size", "huge") == 1
    told = outcome()
    assert told.out == ""
    assert re.fullmatch(r"sora-gateway: [^\n]+\n", told.err)


async def test_an_output_that_cannot_be_written_is_said_before_anything_is_paid(
    gateway: Gateway, outcome: Any
) -> None:
    assert await run("generate", "a paper boat", "--output", "missing/boat.mp4") == 1
    assert "missing/boat.mp4 cannot be written" in outcome().err
    assert await gateway.store.unfinished() == []


async def test_a_failed_video_ends_with_1(tmp_path: Path, outcome: Any) -> None:
    simulator: Any = {"duration": 0.5, "failure_rate": 1.0, "render": "clip"}
    async with opened(Settings(server={"port": 0}, simulator=simulator)):  # type: ignore[arg-type]
        assert await run("generate", "a paper boat", "--wait") == 1
    assert "could not be generated" in outcome().out
    assert not {name for name in os.listdir(tmp_path) if name.endswith((".mp4", ".part"))}


async def test_while_the_gateway_runs_commands_go_through_it(gateway: Gateway, outcome: Any) -> None:
    assert await run("user", "create", "ada@example.org", "--role", "admin") == 0
    assert await run("key", "create", "--user", "ada@example.org") == 0
    key = outcome().out.splitlines()[-1]
    assert await run("generate", "a paper boat", "--url", gateway.address, "--api-key", key) == 0
    assert await run("doctor") == 0
    assert f"running on {gateway.address}" in outcome().out
    assert await run("migrate") == 1
    assert "is using the data directory data" in outcome().err


async def test_ctrl_c_while_waiting_says_how_to_go_on(gateway: Gateway) -> None:
    process = program("generate", "a paper boat", "--wait", env=os.environ | {"PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None
    video_id = (await asyncio.to_thread(process.stdout.readline)).strip()
    await asyncio.to_thread(process.stdout.readline)
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.to_thread(process.communicate)
    assert (process.returncode, err) == (130, "")
    assert out.endswith(f"follow it with: sora-gateway watch {video_id}\n")


def test_ctrl_c_in_a_demo_ends_its_gateway_and_promises_nothing() -> None:
    with program("demo", env=os.environ | {"PYTHONUNBUFFERED": "1"}) as process:
        assert process.stdout is not None
        assert "A gateway of its own" in process.stdout.readline()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "follow it" not in out


def test_the_demo_never_finds_a_configured_upstream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    upstream_at("http://127.0.0.1:1")
    monkeypatch.setenv("SORA_GATEWAY_UPSTREAMS__OTHER__BASE_URL", "http://127.0.0.1:1/v1")
    assert demo_settings(tmp_path).upstreams == {}
