"""The page has no build step, so what a bundler would find is found here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from sora_gateway import supervisor
from sora_gateway.core.job import ENDED, State
from sora_gateway.core.principal import Role, Scope
from sora_gateway.core.steps import Step
from sora_gateway.core.views import Priority
from sora_gateway.core.webhooks import DEFAULT_EVENTS, TEST_EVENT, DeliveryStatus, EventType
from sora_gateway.errors import InvalidRequest, NotAuthenticated
from sora_gateway.http.system import System
from sora_gateway.http.table import table
from sora_gateway.media.video import SPRITE_BOX, SPRITES
from sora_gateway.store.ledger import Kind

STATIC = Path(__file__).resolve().parent.parent / "static"
VENDOR = STATIC / "vendor"
LANGUAGES = ("en", "zh-CN")


def own_files(*suffixes: str) -> list[Path]:
    """Our own files of the page, without the vendored ones."""
    files = [path for path in STATIC.rglob("*") if path.is_file() and VENDOR not in path.parents]
    return sorted(path for path in files if path.suffix in suffixes)


def scripts() -> list[Path]:
    return own_files(".js")


def running_scripts() -> list[Path]:
    """Without the code that the console gives to others."""
    return [script for script in scripts() if script.name != "snippets.js"]


def texts(language: str) -> dict[str, str]:
    """Of all areas together."""
    loaded: dict[str, str] = {}
    for area in areas(language):
        loaded |= area_texts(language, area)
    return loaded


def areas(language: str) -> list[str]:
    return sorted(path.stem for path in (STATIC / "i18n" / language).glob("*.json"))


def area_texts(language: str, area: str) -> dict[str, str]:
    loaded: dict[str, str] = json.loads((STATIC / "i18n" / language / f"{area}.json").read_text("utf-8"))
    return loaded


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


# --- words -------------------------------------------------------------------------------------------


def test_every_language_has_the_same_keys_with_the_same_placeholders() -> None:
    english, chinese = (texts(language) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    assert {key: placeholders(text) for key, text in english.items()} == {
        key: placeholders(text) for key, text in chinese.items()
    }


def test_every_text_is_there_and_in_alphabetical_order() -> None:
    assert areas("en") == areas("zh-CN")
    for language in LANGUAGES:
        for area in areas(language):
            words = area_texts(language, area)
            assert all(text.strip() for text in words.values())
            assert list(words) == sorted(words), area
            # So that no two areas say different things under one name.
            assert area == "base" or all(key.startswith(f"{area}.") for key in words), area


def test_every_screen_has_its_words_and_no_words_are_without_a_screen() -> None:
    script = (STATIC / "js/screens.js").read_text("utf-8")
    # The tabs of administrators are many, so some of them have words of their own.
    tabs = (STATIC / "js/admin/screen.js").read_text("utf-8")
    # A part of a screen that is loaded later loads its words with it.
    parts = re.findall(r'loadTexts\("(\w+)"\)', "".join(path.read_text("utf-8") for path in scripts()))
    assert {"base", *re.findall(r'area: "(\w+)"', script + tabs), *parts} == set(areas("en"))
    for name, area in re.findall(r'^  (\w+): \{ area: "(\w+)"', script, re.MULTILINE):
        assert name == area


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.name)
def test_every_text_that_a_script_asks_for_exists(script: Path) -> None:
    source = script.read_text("utf-8")
    known = texts("en").keys()
    assert set(re.findall(r"""\bt\(\s*["']([^"']+)["']""", source)) <= known
    for template in re.findall(r"\bt\(\s*`([^`]+)`", source):
        # A key made of a part known only at run time: at least one text must fit.
        parts = [re.escape(part) for part in re.split(r"\$\{[^}]*\}", template)]
        assert any(re.fullmatch(r"[\w-]+".join(parts), key) for key in known), template


def test_brackets_and_the_sign_for_nothing_are_the_same_on_every_screen() -> None:
    sources = {script.name: script.read_text("utf-8") for script in scripts()}
    # Brackets around words differ between languages, so they are a text: `text.aside`.
    assert [name for name, source in sources.items() if re.search(r"[ >]\(\$\{", source)] == []
    assert [name for name, source in sources.items() if '"–"' in source] == ["format.js"]
    assert [name for name, source in sources.items() if "signDisplay" in source] == []


def test_no_text_is_left_over() -> None:
    sources = "\n".join(script.read_text("utf-8") for script in scripts())
    exact = set(re.findall(r"""["']([a-z]+\.[\w.-]+)["']""", sources))
    families = [
        re.compile(r"[\w-]+".join(re.escape(part) for part in re.split(r"\$\{[^}]*\}", template)))
        for template in re.findall(r"`([a-z]+\.[^`\s]*\$\{[^`\s]+)`", sources)
    ]
    unused = [key for key in texts("en") if key not in exact and not any(f.fullmatch(key) for f in families)]
    assert unused == []


def test_every_stage_and_status_of_a_job_has_words() -> None:
    known = texts("en").keys()
    assert {f"stage.{state}" for state in State} <= known
    assert {f"announce.{state}" for state in ENDED} <= known


def test_every_step_that_is_told_without_a_reason_has_words() -> None:
    told_in_the_servers_words = {"waiting", "failed", "unknown"}
    steps = {key.removeprefix("step.") for key in texts("en") if key.startswith("step.")}
    assert steps == set(get_args(Step)) - told_in_the_servers_words


def test_the_sentences_that_the_board_has_its_own_words_for_are_the_gateways() -> None:
    patterns = re.findall(r"\[/\^(.*)\$/, ", (STATIC / "js/board/words.js").read_text("utf-8"))
    said = (Path(supervisor.__file__).parent / "creating.py").read_text("utf-8")
    literals = [part.replace("\\.", ".") for each in patterns for part in re.split(r"\(\.\+\)|\.\+", each)]
    assert len(patterns) == 4
    assert [part for part in literals if part not in said] == []


def test_every_error_of_signing_in_and_of_the_account_has_words() -> None:
    people = [endpoint for endpoint in table(System(0.0, list)) if endpoint.tag == "people"]
    codes = {error.code for endpoint in people for error in endpoint.errors}
    assert {"rate_limited", "sign_in_expired", "fresh_login_needed", NotAuthenticated.code} <= codes
    # What is wrong with a field is said beside it.
    assert {f"error.{code}" for code in codes - {InvalidRequest.code}} <= texts("en").keys()


def test_every_role_and_every_scope_has_words_and_a_box_to_tick() -> None:
    known = texts("en").keys()
    assert {f"role.{role}" for role in get_args(Role)} <= known
    assert {f"account.scope.{scope.replace(':', '_')}" for scope in Scope} <= known
    assert offered("account/keys.js", "SCOPES") == set(Scope)


def offered(script: str, name: str) -> set[str]:
    """The list of words that a script has as a constant."""
    source = (STATIC / "js" / script).read_text("utf-8")
    (listed,) = re.findall(rf"^(?:export )?const {name} = \[(.*)\];", source, re.MULTILINE)
    return set(re.findall(r'"([^"]+)"', listed))


def test_every_kind_of_entry_in_the_ledger_has_words_and_can_be_asked_for() -> None:
    known = texts("en").keys()
    assert offered("account/entries.js", "KINDS") == set(get_args(Kind))
    assert {f"account.{of}.{kind}" for of in ("kind", "entry") for kind in get_args(Kind)} <= known
    assert {f"account.priority.{priority}" for priority in get_args(Priority)} <= known


def test_every_event_of_a_webhook_and_what_becomes_of_it_has_words_and_can_be_chosen() -> None:
    known = texts("en").keys()
    assert offered("account/events.js", "EVENTS") == set(EventType)
    assert offered("account/events.js", "USUAL") == set(DEFAULT_EVENTS)
    events = [*EventType, TEST_EVENT]
    assert {f"account.event.{event.partition('.')[2]}" for event in events} <= known
    assert offered("account/deliveries.js", "STATUSES") == set(DeliveryStatus)
    assert {f"account.delivery.{status}" for status in DeliveryStatus} <= known


def test_the_page_cuts_film_strips_as_they_are_made_here() -> None:
    columns, rows = SPRITES
    script = (STATIC / "js/gallery/sheet.js").read_text("utf-8")
    assert f"columns === {columns} && rows === {rows}" in script
    assert max(SPRITE_BOX) <= int(re.findall(r"most: (\d+)", script)[0])


# --- modules -----------------------------------------------------------------------------------------

_IMPORT = re.compile(r"""\b(?:from|import)\s*\(?["']([^"'\s]+)["']""")


@pytest.mark.parametrize("script", [*scripts(), *sorted(VENDOR.glob("*.js"))], ids=lambda path: path.name)
def test_every_import_leads_to_a_file(script: Path) -> None:
    for name in _IMPORT.findall(script.read_text("utf-8")):
        assert name.startswith("."), f"{name} would need an import map"
        assert (script.parent / name).resolve().is_file(), name


def test_every_name_that_is_imported_is_exported() -> None:
    named = re.compile(r"""import\s*\{([^}]*)\}\s*from\s*["']([^"']+)["']""")
    for script in scripts():
        for names, origin in named.findall(script.read_text("utf-8")):
            target = (script.parent / origin).resolve()
            if target.parent == VENDOR:
                continue
            exported = set(
                re.findall(
                    r"^export (?:async )?(?:const|function|class) (\w+)",
                    target.read_text("utf-8"),
                    re.MULTILINE,
                )
            )
            wanted = {name.split(" as ")[0].strip() for name in names.split(",") if name.strip()}
            assert wanted <= exported, f"{script.name}: {wanted - exported} of {origin}"


def test_every_script_is_reached_from_the_page() -> None:
    page = Page()
    page.feed((STATIC / "index.html").read_text("utf-8"))
    reached: set[Path] = set()
    waiting = [STATIC / name for name in page.files if name.endswith(".js")]
    while waiting:
        script = waiting.pop()
        if script not in reached:
            reached.add(script)
            waiting += [
                (script.parent / name).resolve() for name in _IMPORT.findall(script.read_text("utf-8"))
            ]
    assert set(scripts()) <= reached


def test_only_one_module_calls_the_api_and_only_one_opens_a_socket() -> None:
    callers = {
        script.name for script in running_scripts() if re.search(r"\bfetch\(", script.read_text("utf-8"))
    }
    sockets = {
        script.name for script in running_scripts() if re.search(r"\bWebSocket\(", script.read_text("utf-8"))
    }
    # How far an upload is only the old way tells; api.js is handed it in place of fetch.
    told = {script.name for script in running_scripts() if "XMLHttpRequest" in script.read_text("utf-8")}
    assert told == {"sending.js"}
    # The live connection's module is for other pages as well: it imports nothing.
    assert callers == {"api.js", "i18n.js", "sora-live.js"}
    # The console shows every frame as it comes, which the live connection's cleverness would hide.
    assert sockets == {"sora-live.js", "frames.js"}
    assert not _IMPORT.search(
        re.sub(r"^//.*$", "", (STATIC / "js/sora-live.js").read_text("utf-8"), flags=re.MULTILINE)
    )


# --- what people type and are given ---------------------------------------------------------------------


def test_a_browser_keeps_choices_and_the_draft_and_nothing_else() -> None:
    source = "\n".join(script.read_text("utf-8") for script in running_scripts())
    assert set(re.findall(r"Storage\.setItem\((\w+)", source)) == {"CHOICE", "DRAFT"}
    # Nothing about anybody: how the page looks, whether its first steps are done, and what was not sent yet.
    assert set(re.findall(r'"(sora-gateway\.[a-z]+)"', source)) == {
        f"sora-gateway.{what}" for what in ("language", "theme", "welcome", "draft")
    }
    assert not re.search(r"sessionStorage|indexedDB|document\.cookie|\bconsole\.[a-z]+\(", source)


def test_the_secret_of_a_link_leaves_the_address_before_anything_is_sent() -> None:
    script = (STATIC / "js/session.js").read_text("utf-8")
    assert re.findall(r"^const LINKS = \[(.*)\];", script, re.MULTILINE) == ['"login", "invite", "reset"']
    for begun in ("export async function start()", "function addressChanged()"):
        steps = script.partition(begun)[2].partition("\n}")[0]
        assert 0 < steps.index("takeLink()") < steps.index("enter(link)")
    assert not re.search(r"location\.(?:hash|href) = ", script)


def test_no_form_could_put_a_password_into_an_address_and_every_field_says_what_it_is() -> None:
    for script in scripts():
        source = script.read_text("utf-8")
        for form in re.findall(r"<form[^`]*?</form>", source, re.DOTALL):
            assert "PasswordField" not in form or 'method="post"' in form, script.name
        for field in re.findall(r"<input\b.*?/>", source, re.DOTALL):
            assert "autocomplete=" in field or 'type="checkbox"' in field, script.name


# --- the strict content security policy ----------------------------------------------------------------


class Page(HTMLParser):
    """What the policy would forbid in a page, and the files that the page names."""

    def __init__(self) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.files: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.forbidden.append(f"inline {tag}")
        self.forbidden += [f"{name} on {tag}" for name in given if name == "style" or name.startswith("on")]
        self.files += [value for name, value in attrs if name in {"src", "href"} and value]


def test_the_page_has_no_inline_script_or_style() -> None:
    page = Page()
    page.feed((STATIC / "index.html").read_text("utf-8"))
    assert page.forbidden == []
    assert [name for name in page.files if not (STATIC / name).is_file()] == []


def test_no_view_writes_a_style_attribute_or_markup_as_text() -> None:
    for script in scripts():
        source = script.read_text("utf-8")
        assert not re.search(r"""\sstyle=["']""", source), script.name
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source), (
            script.name
        )


def test_our_files_name_no_other_host_and_no_absolute_path() -> None:
    """Everything is relative, so that the gateway may live under a sub-path."""
    for path in own_files(".html", ".css", ".js", ".json", ".svg"):
        source = path.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"(?:https?|wss?):\\?/\\?/\w", source), path.name
        assert not re.search(r"""(?:src|href)=["']/|url\(["']?/|["'`]/(?:api|ws)\b""", source), path.name


def test_every_stylesheet_that_is_imported_is_there() -> None:
    imported = re.findall(r'@import url\("([^"]+)"\)', (STATIC / "app.css").read_text("utf-8"))
    assert {STATIC / name for name in imported} == set((STATIC / "css").glob("*.css"))


# --- vendored modules ----------------------------------------------------------------------------------


def vendor_check(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, folder / "check.py"], capture_output=True, text=True, check=False)


def test_the_vendored_modules_are_the_ones_that_were_vendored() -> None:
    done = vendor_check(VENDOR)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_changed_byte_in_a_vendored_module_is_found(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(VENDOR, tmp_path / "vendor"))
    module = folder / "htm.js"
    module.write_bytes(module.read_bytes().replace(b"var", b"let", 1))
    done = vendor_check(folder)
    assert done.returncode == 1
    assert "htm.js is not the file that was vendored." in done.stderr


def test_a_file_that_nobody_vendored_is_found(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(VENDOR, tmp_path / "vendor"))
    (folder / "stray.js").write_text("", "utf-8")
    assert "stray.js is not listed in SHA256SUMS." in vendor_check(folder).stderr


def test_a_download_address_in_the_lock_file_is_found(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(VENDOR, tmp_path / "vendor"))
    lock = folder / "package-lock.json"
    content = json.loads(lock.read_text("utf-8"))
    content["packages"]["node_modules/htm"]["resolved"] = "somewhere"
    lock.write_text(json.dumps(content), "utf-8")
    assert "names a download address for node_modules/htm" in vendor_check(folder).stderr


def test_the_licences_of_all_vendored_packages_are_there() -> None:
    packages = json.loads((VENDOR / "package.json").read_text("utf-8"))["dependencies"]
    notice = (VENDOR / "THIRD_PARTY.txt").read_text("utf-8")
    for name, version in packages.items():
        assert f"{name} {version} (" in notice
