"""The screens of administrators have words for everything that the code writes down, and for what can be set."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from sora_gateway.alerts import wording
from sora_gateway.alerts_settings import Service
from sora_gateway.core.alerts import AlertKind, Trouble
from sora_gateway.core.plans import Plan
from sora_gateway.core.principal import Role, Scope
from sora_gateway.core.views import Priority
from sora_gateway.runtime_settings import CHANGEABLE
from sora_gateway.settings import Settings
from sora_gateway.store.ledger import Kind as LedgerKind
from sora_gateway.store.links import Kind as LinkKind
from tests.test_static import STATIC, offered, texts

PACKAGE = STATIC.parent / "sora_gateway"


def test_every_action_of_the_audit_log_has_words_and_can_be_filtered() -> None:
    source = (STATIC / "js/admin/audit.js").read_text("utf-8")
    (offered,) = re.findall(r"^const ABOUT = \[(.*)\];", source, re.MULTILINE)
    about = re.findall(r'"(\w+)"', offered)
    actions = {f"link.{kind}" for kind in get_args(LinkKind)}
    for module in PACKAGE.rglob("*.py"):
        if module.parent.name != "cli":
            actions |= dotted_names(module, about)
    # What looks like one: keys of the configuration, fields of a request, a kind of delivery.
    actions -= {"credits.starting_balance", "template.id", "template.values", "webhook.test"}
    assert {action.partition(".")[0] for action in actions} == set(about)
    known = texts("en").keys()
    words = {key for key in known if key.startswith("admin.action.")}
    assert words == {f"admin.action.{action.replace('.', '_')}" for action in actions}
    assert {f"admin.about.{each}" for each in about} <= known


def dotted_names(module: Path, families: list[str]) -> set[str]:
    """Texts like `user.create` in a module; those that are keys of a table name commands."""
    tree = ast.parse(module.read_text("utf-8"))
    tables = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    commands = {id(key) for table_ in tables for key in table_.keys}
    names = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in commands
    }
    return {name for name in names if re.fullmatch(rf"(?:{'|'.join(families)})\.[a-z_]+", name)}


def test_every_setting_that_can_be_changed_has_words() -> None:
    for key in CHANGEABLE:
        table_name, field = key.split(".")
        section = Settings.model_fields[table_name].annotation
        choices = section.model_json_schema()["properties"][field].get("enum", []) if section else []
        name = f"admin.setting.{key.replace('.', '_')}"
        wanted = {name, f"{name}.text", *(f"{name}.{choice}" for choice in choices)}
        assert wanted <= texts("en").keys()
        assert f"admin.settings.group.{key.partition('.')[0]}" in texts("en")


def test_an_alert_is_said_on_the_page_as_it_is_told() -> None:
    for language, said in (("en", "en"), ("zh-CN", "zh")):
        words = texts(language)
        on_the_page = {key for key in words if key.startswith("admin.alert.")}
        told = {
            f"admin.alert.{kind}.{cause or 'any'}": wording.sentence(
                Trouble(kind, "{subject}", cause), language=said
            )
            for kind, cause in wording._EN.wrong
        }
        assert told.keys() == on_the_page
        by_cause = {str(kind) for kind, cause in wording._EN.wrong if cause}
        assert by_cause == offered("admin/alerts.js", "BY_CAUSE")
        for key, text in told.items():
            assert words[key].replace("{count}", "1") == text


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("admin.scope", [scope.replace(":", "_") for scope in Scope]),
        ("admin.role", get_args(Role)),
        ("admin.priority", get_args(Priority)),
        ("admin.kind", get_args(LedgerKind)),
        ("admin.alerts.kind", list(AlertKind)),
        ("admin.alerts.service", get_args(Service)),
    ],
)
def test_every_value_that_is_shown_has_words(prefix: str, names: list[str]) -> None:
    assert {f"{prefix}.{name}" for name in names} <= texts("en").keys()


def test_every_limit_of_a_plan_has_a_field_with_its_unit() -> None:
    source = (STATIC / "js/admin/limits.js").read_text("utf-8")
    (listed,) = re.findall(r"^export const LIMITS = \[(.*)\];", source, re.MULTILINE)
    offered = re.findall(r'"(\w+)"', listed)
    counts = {field.name for field in fields(Plan) if field.type == "int"}
    assert {re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name) for name in offered} == counts
    for name in offered:
        assert {f"admin.limit.{name}{part}" for part in ("", ".unit")} <= texts("en").keys()
