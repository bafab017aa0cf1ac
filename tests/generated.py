"""Files, and parts of files, that are written from code: ``make docs`` rewrites them, tests/test_readme.py compares.

``python -m tests.generated`` rewrites all, ``python -m tests.generated FILE...`` some. A part stands between
``<!-- NAME -->`` and ``<!-- /NAME -->``.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from sora_gateway import cli, errors
from sora_gateway.alerts_settings import Alert
from sora_gateway.config_example import render
from sora_gateway.core import views
from sora_gateway.core.job import ENDED, TRANSITIONS, State
from sora_gateway.credit_settings import Plan
from sora_gateway.errors import CloseCode, GatewayError
from sora_gateway.observing.catalogue import METRICS, PROCESS, Form
from sora_gateway.oidc_settings import Oidc
from sora_gateway.settings import Settings, Upstream
from sora_gateway.store.migrate import schema_script
from sora_gateway.upstream.adapter import CreateOrder
from sora_gateway.upstream.chat_profiles import CHAT_PROFILES, ChatProfile, chat_body
from sora_gateway.upstream.profiles import PROFILES, Profile
from sora_gateway.upstream.simulator.faults import FAULTS, Value
from tests.shown import RUN_BY, shown
from tests.test_architecture import EVERYTHING, MAY_IMPORT, PACKAGE, VALUES

ROOT = Path(__file__).parent.parent


def main(names: list[str]) -> None:
    for name in names or GENERATED:
        path = ROOT / name
        path.write_text(GENERATED[name](path.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str, **parts: str) -> str:
    """*text* with each part between its marks. Raises ValueError when it has no place, or two, for one."""
    for name, part in parts.items():
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = marks.subn(lambda match, part=part: f"{match[1]}{part}\n{match[2]}", text)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"there are {count} places between <!-- {name} --> and <!-- /{name} -->")
    return text


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a pipe inside a cell would end it."""
    lines = [list(head), ["---"] * len(list(head)), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


# --- the job machine ---------------------------------------------------------------------------------


def state_diagram() -> str:
    """The table of transitions as a Mermaid diagram; events that keep the state are left out."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> queued"]
    for state, row in TRANSITIONS.items():
        targets: dict[State, list[str]] = {}
        for event, target in row.items():
            if target is not state:
                targets.setdefault(target, []).append(event.__name__)
        lines += [f"    {state} --> {target}: {', '.join(names)}" for target, names in targets.items()]
    lines += [f"    {state} --> [*]" for state in State if state in ENDED]
    return "\n".join([*lines, "```"])


def state_table() -> str:
    rows = (
        (
            f"`{state}`",
            f"`{views.status_of(state)}`",
            f"`{views._VIDEO_STATUS[views.status_of(state)]}`",
            meaning,
        )
        for state in State
        for meaning in [comments_of(State)[state.name]]
    )
    return table(("state, `stage`", "`status`", "on `/v1`", "what it is, and who takes it on"), rows)


# --- the tree ----------------------------------------------------------------------------------------


def package_diagram() -> str:
    """Which package may import which, from the table that the tests hold; left out is what every one may import, and what
    single modules may."""
    packages = {part for part in MAY_IMPORT if (PACKAGE / part).is_dir()}

    def named(parts: Iterable[str]) -> list[str]:
        return sorted({part.split(".")[0] for part in parts} & packages)

    lines = ["```mermaid", "flowchart TD"]
    for part in sorted(packages):
        row = MAY_IMPORT[part] - VALUES
        if row >= EVERYTHING:
            lines.append(f"    {part} --> everything([everything])")
        elif named(row):
            lines.append(f"    {part} --> {' & '.join(named(row))}")
        elif part not in VALUES:
            lines.append(f"    {part}")
    return "\n".join([*lines, "```"])


def import_table() -> str:
    """The whole table: every part, and what it may import."""

    def written(part: str) -> str:
        # With slashes: with dots it would look like a setting.
        return f"`{part.replace('.', '/')}`"

    def allowed(row: frozenset[str]) -> str:
        if row >= EVERYTHING:
            return "everything"
        values = ["values"] if row >= VALUES else map(written, sorted(row & VALUES))
        return ", ".join([*values, *map(written, sorted(row - VALUES))])

    rows = ((written(part), allowed(row) or "nothing") for part, row in MAY_IMPORT.items())
    return table(("part", "may import"), rows)


# --- what people and programs are told ---------------------------------------------------------------


def catalogue() -> list[type[GatewayError]]:
    """Every error of ``errors.py``, in its order."""
    return [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, GatewayError) and kind is not GatewayError
    ]


def error_table() -> str:
    rows = [("`internal_error`", "500", "A bug of ours; the request id finds it in the log.")]
    rows += [
        (f"`{kind.code}`", str(kind.http_status), inspect.cleandoc(kind.__doc__ or "").splitlines()[0])
        for kind in catalogue()
    ]
    rows.sort(key=lambda row: row[1])
    return table(("code", "HTTP", "meaning"), ((a, b, c.replace("``", "`")) for a, b, c in rows))


def close_table() -> str:
    def sentences(code: CloseCode) -> tuple[str, str]:
        meaning, _, client = comments_of(CloseCode)[code.name].partition(". ")
        return f"{meaning}.", client

    return table(("code", "meaning", "client"), ((str(code.value), *sentences(code)) for code in CloseCode))


def comments_of(kind: type) -> dict[str, str]:
    """The strings below the members of *kind*, by member."""
    (made,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(made, ast.ClassDef)
    found = {}
    for member, comment in zip(made.body, made.body[1:], strict=False):
        if (
            isinstance(member, ast.Assign)
            and isinstance(member.targets[0], ast.Name)
            and isinstance(comment, ast.Expr)
            and isinstance(comment.value, ast.Constant)
        ):
            found[member.targets[0].id] = str(comment.value.value)
    return found


# --- commands and settings ---------------------------------------------------------------------------


def commands(
    parser: argparse.ArgumentParser | None = None, name: str = "", summary: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Every command and group of commands: its words, its parser and its line of help."""
    parser = parser or cli._parser()
    if name:
        yield name, parser, summary
    for group in parser._actions:
        if isinstance(group, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in group._choices_actions}
            for word, below in group.choices.items():
                yield from commands(below, f"{name} {word}".strip(), helps.get(word, ""))


def command_table() -> str:
    known = [name for name, parser, _ in commands() if not _is_group(parser)]
    pages = shown(known)

    def where(name: str) -> str:
        if name in pages:
            link = Path(os.path.relpath(pages[name], ROOT / "docs")).as_posix()
            return f"[{'README' if link.endswith('README.md') else pages[name].stem}]({link})"
        return f"`{RUN_BY[name]}`" if name in RUN_BY else ""

    rows = (
        (f"`{_usage(name, parser)}`", summary, where(name))
        for name, parser, summary in commands()
        if not _is_group(parser)
    )
    return table(("command", "what it does", "shown, or run by"), rows)


def _is_group(parser: argparse.ArgumentParser) -> bool:
    return any(isinstance(action, argparse._SubParsersAction) for action in parser._actions)


def _usage(name: str, parser: argparse.ArgumentParser) -> str:
    places = [
        action.metavar or "|".join(action.choices or [action.dest])
        for action in parser._actions
        if not action.option_strings and action.nargs not in (argparse.REMAINDER, argparse.PARSER)
    ]
    return " ".join([name, *map(str, places)])


def option_table() -> str:
    """Every option of every command, but for help and the two that nearly all have."""
    common = {"help", "data_dir", "config"}
    parts = []
    for name, parser, _ in commands():
        rows = []
        for action in parser._actions:
            if not action.option_strings or action.dest in common:
                continue
            value = "|".join(map(str, action.choices or [action.dest.upper()])) if action.nargs != 0 else ""
            text = (action.help or "").replace("%%", "%") % {"default": action.default}
            if action.required:
                text += " (required)"
            words = f"{', '.join(action.option_strings)} {action.metavar or value}".strip()
            rows.append((f"`{words}`", text))
        if rows:
            parts.append(f"### `{_usage(name, parser)}`\n\n{table(('option', 'what it is for'), rows)}")
    return "\n\n".join(parts)


def settings() -> Iterator[tuple[str, Any, str]]:
    """Every setting: its key, its default, and what it is for; an upstream's under the name ``lab``, a
    provider's under ``google``, a plan's under ``default``."""
    for name, field in Settings.model_fields.items():
        if name == "upstreams":
            yield from _section("upstreams.lab", Upstream)
        elif name == "oidc":
            yield from _section("oidc.google", Oidc)
        elif name == "plans":
            yield from _section("plans.default", Plan)
        elif name == "alerts":
            yield from _section("alerts.ops", Alert)
        elif isinstance(field.default, BaseModel):
            yield from _section(name, type(field.default))
        else:
            yield name, field.get_default(call_default_factory=True), field.description or ""


def _section(prefix: str, model: type[BaseModel]) -> Iterator[tuple[str, Any, str]]:
    for key, field in model.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        yield f"{prefix}.{key}", default, field.description or ""


def settings_table() -> str:
    def shown(value: Any) -> str:
        if value is None:
            return "(required)"
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if isinstance(value, bool):
            return f"`{str(value).lower()}`"
        if isinstance(value, str | Path):
            return f'`"{value}"`'
        return f"`{list(value) if isinstance(value, tuple) else value}`"

    sections: dict[str, list[tuple[str, str, str]]] = {}
    for key, default, text in settings():
        variable = f"SORA_GATEWAY_{key.upper().replace('.', '__')}"
        row = (f"`{key}`<br>`{variable}`", shown(default), text)
        sections.setdefault(key.rpartition(".")[0], []).append(row)
    head = ("setting, variable", "default", "what it is for")
    return "\n\n".join(
        f"### {f'`[{name}]`' if name else 'At the top'}\n\n{table(head, rows)}"
        for name, rows in sections.items()
    )


def profile_table() -> str:
    """What each profile makes of the ``openai`` dialect, from the data."""
    encodings = {"json": "JSON", "multipart": "form", "auto": "JSON; form with an image"}
    lists = {"none": "no", "stale": "yes, stale", "live": "yes"}
    rows = (
        (
            f"`{name}`",
            profile.servers,
            encodings[profile.create_encoding],
            f"`{profile.duration_field}` as {'text' if profile.duration_type == 'string' else 'number'}",
            "yes" if profile.delete_cancels else "no",
            lists[profile.listing],
            ", ".join(word for word, so in _doubt(profile).items() if so),
            f"{profile.min_poll_interval:g} s",
        )
        for name, profile in PROFILES.items()
    )
    head = (
        "profile", "servers", "create", "length", "can cancel", "lists jobs", "a lost create", "looks at most every"
    )  # fmt: skip
    return table(head, rows)


def chat_profile_table() -> str:
    """What each profile makes of the ``chat-stream`` dialect: an order as it goes out, from the code that sends it."""

    def sent(profile: ChatProfile) -> str:
        order = CreateOrder("attempt_1", "PROMPT", "MODEL", 15, "1280x720")
        body: dict[str, Any] = chat_body(profile, order)
        text = body["messages"][0]["content"][0]["text"].replace("\n\n", " … ")
        return f"`{body['model']}`: {text}"

    rows = ((f"`{name}`", profile.servers, sent(profile)) for name, profile in CHAT_PROFILES.items())
    return table(("profile", "relays", "15 seconds of 1280x720 as it is asked for"), rows)


def _doubt(profile: Profile) -> dict[str, bool]:
    """What is done about a create whose answer was lost, in this order."""
    again = profile.on_ambiguous == "resubmit_if_absent"
    return {
        "known by its key": bool(profile.idempotency_header),
        "looked for": profile.listing != "none",
        "made again": again,
        "a person decides": not again,
    }


def fault_table() -> str:
    def spelt(name: str, value: Value) -> str:
        example = {
            Value.NONE: "",
            Value.OPTIONAL: " or `=2`",
            Value.NUMBER: "",
            Value.WORD: " or `=word`",
        }[value]
        return f"`[[fault:{name}{'=2' if value is Value.NUMBER else ''}]]`{example}"

    rows = ((spelt(name, fault.value), fault.effect) for name, fault in FAULTS.items())
    return table(("in the prompt", "what happens"), rows)


def recipe(name: str, language: str) -> str:
    """A file of ``deploy/proxies`` as it is, which tests/proxies runs."""
    text = (ROOT / "deploy" / "proxies" / name).read_text(encoding="utf-8")
    return f"```{language}\n{text}```"


def metric_table() -> str:
    """Every metric of ``/metrics``, from the catalogue that it is made of."""
    ours = (
        (
            f"`{metric.full_name}`",
            metric.form,
            ", ".join(f"`{label}`" for label in metric.labels),
            metric.help,
        )
        for metric in METRICS
    )
    process = (
        (f"`{name}`", Form.COUNTER if name.endswith("_total") else Form.GAUGE, "", text)
        for name, text in PROCESS.items()
    )
    return table(("metric", "kind", "by", "what it says"), [*ours, *process])


GENERATED: dict[str, Callable[[str], str]] = {
    "config.example.toml": lambda _: render(),
    "migrations/schema.sql": lambda _: schema_script(ROOT / "migrations"),
    "docs/architecture.md": lambda text: filled(text, packages=package_diagram(), imports=import_table()),
    "docs/commands.md": lambda text: filled(text, commands=command_table(), options=option_table()),
    "docs/errors.md": lambda text: filled(text, errors=error_table(), closes=close_table()),
    "docs/states.md": lambda text: filled(text, diagram=state_diagram(), states=state_table()),
    "docs/live.md": lambda text: filled(text, closes=close_table()),
    "docs/observing.md": lambda text: filled(text, metrics=metric_table()),
    "docs/proxies.md": lambda text: filled(
        text,
        nginx=recipe("nginx.conf", "nginx"),
        caddy=recipe("Caddyfile", "caddyfile"),
        haproxy=recipe("haproxy.cfg", "haproxy"),
    ),
    "docs/configuration.md": lambda text: filled(
        text,
        profiles=profile_table(),
        chats=chat_profile_table(),
        settings=settings_table(),
        faults=fault_table(),
    ),
}
"""File -> its right text, from the text that it has."""


if __name__ == "__main__":
    main(sys.argv[1:])
