"""The documentation is run: its commands and snippets against a real gateway, its names against the code."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sora_gateway.bench.polling import options_parser as polling_options
from sora_gateway.bench.report import parser as bench_options
from sora_gateway.cli.jobs import API_KEY, URL
from sora_gateway.http.system import System
from sora_gateway.http.table import table
from sora_gateway.identity import identity_providers
from sora_gateway.settings import Settings, load_settings
from sora_gateway.store.schema import HEAD
from tests.clients.snippets import PRINTS
from tests.generated import ROOT, commands, settings
from tests.shown import RUN_BY, commands_in, name_of, shown, typed
from tests.snippets import CONFIG, PAGES, block, blocks, environment, needs_curl, program, run


def page_ids(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# --- running -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory in which a gateway runs, for the pages that need nothing but one."""
    directory = tmp_path_factory.mktemp("gateway")
    (directory / "config.toml").write_text(CONFIG)
    return directory


@pytest.fixture(scope="module")
def gateway(place: Path) -> Iterator[str]:
    with program(place, "serve") as address:
        yield address


@needs_curl
def test_the_first_steps_of_the_readme_lead_to_a_video(gateway: str, place: Path) -> None:
    said = run(ROOT / "README.md", place, gateway)
    assert '"object":"video"' in said["request"]
    assert '"status":"queued"' in said["request"]


@needs_curl
def test_every_task_of_the_api_does_what_the_page_says(gateway: str, place: Path) -> None:
    Image.new("RGB", (96, 64), "teal").save(place / "boat.png")
    said = run(ROOT / "docs/api.md", place, gateway)
    video, task = json.loads(said["create"]), json.loads(said["task"])
    assert (video["object"], video["status"], video["size"]) == ("video", "queued", "1280x720")
    assert (task["prompt"], task["seconds"]) == ("A paper boat", 4)
    first, second = documents(said["again"])
    assert first["id"] == second["id"] != task["videoId"]
    assert documents(said["image"])[0]["object"] == "video"
    waited = json.loads(said["wait"])
    assert (waited["id"], waited["status"]) == (task["videoId"], "completed")
    whole = (place / "boat.mp4").read_bytes()
    assert whole[4:8] == b"ftyp"
    assert len(whole) > 1000, "it went on after the first thousand bytes"
    assert (place / "boat.webp").read_bytes()[8:12] == b"WEBP"
    page, found = documents(said["list"])
    assert len(page["data"]) == 2
    assert task["videoId"] in {each["videoId"] for each in found["tasks"]}
    _, cancelled, again, deleted = documents(said["cancel"])
    assert cancelled["status"] == "cancelled"
    assert again["retryOf"] == cancelled["videoId"] == deleted["id"]
    assert said["socket"].split("\n")[0] == "ready"
    assert "completed 100.0" in said["socket"]
    assert '"status":"completed"' in said["events"]
    assert documents(said["wrong"])[0]["error"]["code"] == "model_not_found"
    assert (place / "paper.mp4").read_bytes()[4:8] == b"ftyp"


def documents(text: str) -> list[Any]:
    """The JSON documents in *text*, one after the other."""
    found, decoder = [], json.JSONDecoder()
    text = text.strip()
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].strip()
    return found


@needs_curl
def test_the_examples_beside_the_routes_answer_as_described(gateway: str, place: Path) -> None:
    said = run(ROOT / "docs/routes.md", place, gateway)
    assert '"visibility":"team"' in said["share"]
    assert '"videoUrl":' in said["share"].splitlines()[-1]
    assert '"name":"boat.png","library":"team"' in said["image"]
    assert (place / "preview.png").read_bytes().startswith(b"\x89PNG")
    assert '"status":"cancelled"' in said["batch"] or '"done":true' in said["batch"]


@needs_curl
def test_the_examples_of_the_live_protocol_say_what_the_page_says(gateway: str, place: Path) -> None:
    said = run(ROOT / "docs/live.md", place, gateway)
    assert "so far: ['accepted'" in said["socket"]
    assert said["socket"].split()[-1] == "completed"
    assert said["events"].count("event: log") == 1
    assert said["events"].count("event: subscribed") == 3
    assert '"reason":"epoch"' in said["events"]


@needs_curl
def test_the_operators_commands_do_what_the_page_says(tmp_path: Path) -> None:
    page = ROOT / "docs/operating.md"
    (tmp_path / "config.toml").write_text(CONFIG)
    with program(tmp_path, "serve") as address:
        said = run(page, tmp_path, address, without={"decide", "restore"})
        text = page.read_text(encoding="utf-8").partition("## The data directory")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| (`[^|]+`) \| .+ \|$", text, re.MULTILINE)
        files = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
        assert len(files) == 11
        missing = [name for name in files if not (tmp_path / "data" / name).exists()]
    assert missing == ["simulator/", "backups/"], "there was no simulated video and no migration"
    assert f"running on {address}" in said["look"]
    assert "FAIL" not in said["look"]
    assert "The books balance." in said["look"]
    assert "nothing wrong." in said["look"]
    assert re.search(r"^# TYPE sora_gateway_\w+ gauge$", said["metrics"], re.MULTILINE)
    assert re.search(rf"{re.escape(address)}/#login=\S+", said["people"])
    assert re.search(r"^sgw_", said["people"], re.MULTILINE)
    assert "render farm" in said["people"]
    assert said["signing"].split()
    assert " is whole: " in said["backup"]


@needs_curl
def test_the_commands_for_people_and_keys_do_what_the_page_says(gateway: str, place: Path) -> None:
    said = run(ROOT / "docs/accounts.md", place, gateway)
    assert re.findall(rf"^{re.escape(gateway)}/#(\w+)=", said["people"], re.MULTILINE) == [
        "reset",
        "login",
        "invite",
    ]
    assert "admin" in said["people"]
    assert '"token":"' in said["login"]
    assert '"scopes":["videos:read"]' in said["keys"]
    assert "render farm" in said["keys"]
    assert "expires 20" in said["keys"]
    assert said["keys"].rstrip().endswith("is revoked.")
    assert [line.split()[3] for line in said["leaving"].splitlines() if "user." in line] == [
        "user.enable",
        "user.disable",
    ]


@needs_curl
def test_the_commands_for_credits_do_what_the_page_says(tmp_path: Path) -> None:
    page = ROOT / "docs/credits.md"
    (tmp_path / "config.toml").write_text(CONFIG + block(page, "prices"))
    with program(tmp_path, "serve") as address:
        said = run(page, tmp_path, address)
    assert '"credits":20,"perVideo":2,"perSecond":1' in said["quote"]
    assert '"available":120,"held":0' in said["quote"], "the starting balance and a month's credits"
    assert "credits@example.org has 165 credits, and 0 held." in said["money"]
    assert "credits@example.org has the plan gold until 2099-01-01T00:00:00.000Z." in said["money"]
    assert len(re.findall(r"^(?:[A-Z2-7]{4}-){4}[A-Z2-7]{4}$", said["money"], re.MULTILINE)) == 2
    assert "The books balance." in said["money"]
    assert re.search(r"^\S+ is revoked\.$", said["money"], re.MULTILINE)


@needs_curl
def test_the_commands_that_need_no_gateway_leave_what_the_page_says(tmp_path: Path) -> None:
    said = run(ROOT / "docs/commands.md", tmp_path, "http://127.0.0.1:8000")
    assert f"is at schema {HEAD}" in said["alone"]
    assert tomllib.loads((tmp_path / "config.toml").read_text())["server"]["port"] == 8000
    assert "/v1/videos" in json.loads((tmp_path / "openapi.json").read_text())["paths"]
    assert "components" in json.loads((tmp_path / "asyncapi.json").read_text())


@needs_curl
def test_a_restored_backup_is_a_gateway_with_a_new_epoch(tmp_path: Path) -> None:
    page, everything = (
        ROOT / "docs/operating.md",
        {part.tested or "" for part in blocks(ROOT / "docs/operating.md")},
    )
    (tmp_path / "config.toml").write_text(CONFIG)
    with program(tmp_path, "serve") as address:
        before = epoch_of(tmp_path)
        run(page, tmp_path, address, without=everything - {"backup"})
    # The page's second line is the gateway, which a test starts in its own way.
    first, second = block(page, "restore").splitlines()
    assert second == "sora-gateway serve"
    done = subprocess.run(
        ["bash", "-c", first], cwd=tmp_path, env=environment(), check=True, capture_output=True, text=True
    )
    assert "What was there is at " in done.stdout
    with program(tmp_path, "serve"):
        after = epoch_of(tmp_path)
    assert before != after
    assert re.fullmatch(r"[0-9a-f]{16}", after)


@needs_curl
def test_a_backup_is_restored_beside_a_gateway_that_runs(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    with program(tmp_path, "serve") as address:
        said = run(ROOT / "docs/backup.md", tmp_path, address)
    assert "as secret as the data directory" in said["backup"]
    assert " is whole: " in said["backup"]
    assert "everybody signs in again" in said["restore"]
    with program(tmp_path, "serve", "--data-dir", "restored"):
        pass


def epoch_of(directory: Path) -> str:
    with closing(sqlite3.connect(directory / "data/gateway.db")) as database:
        (epoch,) = database.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    return str(epoch)


def test_the_examples_of_the_configuration_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = run(ROOT / "docs/configuration.md", tmp_path, "http://127.0.0.1:8000")["environment"]
    assert "port = 8080" in said
    assert 'data_dir = "/var/lib/sora-gateway"' in said
    assert "[upstreams.lab]" in said
    assert "sk-example" not in said
    Path("config.toml").write_text(block(ROOT / "docs/configuration.md", "upstreams"))
    assert list(load_settings().upstreams) == ["lab", "hosted"]
    Path("config.toml").write_text(block(ROOT / "docs/configuration.md", "relay"))
    assert load_settings().upstreams["relay"].dialect == "chat-stream"


def test_the_examples_of_a_gateway_behind_a_proxy_are_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, root_path in (("proxy", ""), ("path", "/videos")):
        Path("config.toml").write_text(block(ROOT / "docs/proxies.md", name))
        server = load_settings().server
        assert (server.root_path, server.trusted_proxies) == (root_path, ("127.0.0.1",)), name


def test_the_examples_of_providers_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("google", "provider"):
        Path("config.toml").write_text(block(ROOT / "docs/accounts.md", name))
        (provider,) = identity_providers(load_settings())
        assert provider.issuer.startswith("https://"), name
        assert "example.org" in provider.allowed_domains, name


# --- names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=page_ids)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    unsaid = [
        block.text
        for block in blocks(page)
        if block.language in {"sh", "python", "js", "toml", "yaml", "bash", "console"}
        and not (block.tested or block.clients or block.reason)
    ]
    assert not unsaid
    for part in blocks(page):
        if part.language == "python":
            compile(part.text, page.name, "exec")
        elif part.language == "toml":
            tomllib.loads(part.text)


@pytest.mark.parametrize("page", PAGES, ids=page_ids)
def test_every_command_exists_with_its_options(page: Path) -> None:
    known = {name: parser for name, parser, _ in commands()}
    inline = re.findall(r"(?<!`)`(sora-gateway [^`]+)`", page.read_text(encoding="utf-8"))
    for words in [*typed(blocks(page)), *(words for line in inline for words in commands_in(line))]:
        if words[0].isupper():
            continue  # COMMAND --help
        name = name_of(words, known)
        assert name is not None, f"sora-gateway {' '.join(words)}"
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        allowed = set(known[name]._option_string_actions)
        if name == "bench":
            # Each benchmark reads its own options; these are what those have that measure this machine.
            parser = polling_options() if "polling" in words else bench_options("NAME", "", rounds=1)
            allowed |= set(parser._option_string_actions)
        assert options <= allowed, f"sora-gateway {' '.join(words)}"


def test_every_snippet_for_the_sdks_is_looked_at() -> None:
    named = {part.clients for page in PAGES for part in blocks(page) if part.clients}
    assert named == set(PRINTS)
    assert {page.name for page in PAGES for part in blocks(page) if part.clients} == {"README.md", "api.md"}


def test_every_command_is_run_by_a_snippet_or_a_test_that_is_named() -> None:
    """What counts is the table of docs/commands.md: nothing stands in it that nobody runs."""
    words = {name for name, parser, _ in commands() if parser.get_default("run")}
    assert words - set(shown(words)) == set(RUN_BY)
    for command, test in RUN_BY.items():
        file, _, name = test.partition("::")
        source = (ROOT / file).read_text(encoding="utf-8")
        assert f"def {name}(" in source, command
        assert re.search(r"\W+".join(map(re.escape, command.split())), source), (
            f"{test} does not run {command}"
        )


def routes() -> set[str]:
    return {f"{endpoint.method} {endpoint.template}" for endpoint in table(System(0.0, list))}


@pytest.mark.parametrize("page", PAGES, ids=page_ids)
def test_every_route_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name == "moving.md":
        # What stands first in its tables is other systems'; tests/test_moving_docs.py looks at what is ours.
        text = re.sub(r"^\| .*", "", text, flags=re.MULTILINE)
    named = re.findall(r"\b((?:GET|POST|PUT|PATCH|DELETE) /[\w/{}.-]*)", text)
    assert set(named) <= routes()


def test_every_route_is_described() -> None:
    text = (ROOT / "docs/routes.md").read_text(encoding="utf-8")
    assert not [route for route in routes() if f"`{route}`" not in text]


@pytest.mark.parametrize("page", PAGES, ids=page_ids)
def test_every_setting_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    keys = {key for key, _, _ in settings()}
    tables = "|".join(sorted(set(Settings.model_fields) - {"data_dir"}))
    named = re.findall(rf"`((?:{tables})\.[\w.]+)(?: = [^`]*)?`", text)
    assert set(named) <= keys
    variables = set(re.findall(r"\bSORA_GATEWAY_[A-Z_]+[A-Z]\b", text)) - {URL, API_KEY}
    assert variables <= {f"SORA_GATEWAY_{key.upper().replace('.', '__')}" for key in keys}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=page_ids)
def test_every_link_and_every_file_named_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]
    files = re.findall(r"`((?:sora_gateway|tests|docs|migrations|static)/[\w./-]+)`", text)
    assert not [file for file in files if not (ROOT / file).exists()]


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = {page.name for page in PAGES if page.parent.name == "docs"} - {"README.md"}
    assert not [name for name in sorted(pages) if f"({name})" not in index]


def test_every_test_that_stands_for_a_line_of_the_checklist_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/security.md").read_text(encoding="utf-8")))
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    assert named
    assert not [name for name in named if not re.search(rf"def {name}\(", tests)]


def test_every_target_of_make_exists() -> None:
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"`make ([a-z-]+)`", text)) | set(
            re.findall(r"^make ([a-z-]+)$", text, re.MULTILINE)
        )
        assert named <= made, page.name


def test_the_codes_of_a_failed_video_are_the_ones_in_the_code() -> None:
    text = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    part = text.partition("## Why a video failed")[2].partition("\n## ")[0]
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "sora_gateway").rglob("*.py"))
    codes = re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
    assert len(codes) == 8
    assert not [code for code in codes if f'"{code}"' not in source]
