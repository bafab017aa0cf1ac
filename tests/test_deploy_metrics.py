"""The board and the rules in ``deploy/`` ask for metrics that there are, by labels that they have; the page about them
says what is so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it has none

from sora_gateway.core.job import State
from sora_gateway.metrics_settings import SHORTEST
from sora_gateway.observing.catalogue import METRICS, PREFIX, PROCESS, Form
from sora_gateway.observing.tracing import EXPORT_TIMEOUT
from sora_gateway.settings import load_settings
from tests.generated import ROOT
from tests.snippets import CONFIG, block, needs_curl, program, run

BOARD = ROOT / "deploy/grafana/sora-gateway.json"
RULES = ROOT / "deploy/prometheus/alerts.yml"

_NAME = re.compile(r"\b(?:sora_gateway|process)_\w+")
_SELECTED = re.compile(r"\b((?:sora_gateway|process)_\w+)\{([^}]*)\}")
_GROUPED = re.compile(r"\b(?:by|on) \(([^)]*)\)")
ADDED = {"instance", "job", "le"}
"""Labels that Prometheus adds itself, and those of histograms."""


def samples() -> dict[str, set[str]]:
    """Every name that can be asked for, and its labels."""
    found: dict[str, set[str]] = {name: set() for name in PROCESS}
    for metric in METRICS:
        ends = ("_bucket", "_sum", "_count") if metric.form is Form.HISTOGRAM else ("",)
        found |= {metric.full_name + end: set(metric.labels) for end in ends}
    return found


def panels() -> Iterator[dict[str, Any]]:
    for panel in json.loads(BOARD.read_text(encoding="utf-8"))["panels"]:
        yield panel
        yield from panel.get("panels", ())


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]


def expressions() -> list[str]:
    asked = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    return [*asked, *(rule["expr"] for rule in rules())]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_asks_for_what_there_is(expression: str) -> None:
    known = samples()
    named = _NAME.findall(expression)
    assert named
    assert set(named) <= set(known)
    for name, selected in _SELECTED.findall(expression):
        assert set(re.findall(r"(\w+)(?:=|!)", selected)) <= known[name] | ADDED
    labels = set().union(*(known[name] for name in named)) | ADDED
    for grouped in _GROUPED.findall(expression):
        assert set(grouped.replace(" ", "").split(",")) <= labels
    # Only what grows has a rate, and a histogram is asked for its buckets.
    for rated in re.findall(r"(?:rate|increase)\((\w+)", expression):
        assert rated.endswith(("_total", "_bucket", "_sum", "_count"))
    states = re.findall(r'state=~?"([\w|-]+)"', expression)
    assert {word for each in states for word in each.split("|")} <= set(State) | {
        "open",
        "closed",
        "half-open",
    }


def test_the_board_is_one_that_grafana_takes() -> None:
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids) > 20
    assert {"uid", "title", "schemaVersion", "panels", "templating"} <= set(board)
    variables = {each["name"] for each in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)\}?", BOARD.read_text(encoding="utf-8"))) - {"__rate_interval"}
    assert used == variables
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert len(set(places)) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels())
    for panel in panels():
        letters = [target["refId"] for target in panel.get("targets", ())]
        assert len(set(letters)) == len(letters)


def test_the_board_shows_every_metric_but_the_version() -> None:
    text = BOARD.read_text(encoding="utf-8")
    assert PREFIX + "build_info" in text, "the variables are filled from it"
    shown = {
        name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        for name in _NAME.findall(text)
    }
    unseen = {metric.full_name for metric in METRICS} - shown
    assert unseen == set()


@needs_curl
def test_the_examples_of_the_page_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs/observing.md"
    (tmp_path / "config.toml").write_text(CONFIG + block(page, "token"))
    with program(tmp_path, "serve") as address:
        said = run(page, tmp_path, address)
    assert 'sora_gateway_jobs{state="queued",upstream="simulator"} 0.0' in said["metrics"]
    monkeypatch.chdir(tmp_path)
    for name, table in (("collector", "tracing"), ("reports", "sentry")):
        Path("config.toml").write_text(block(page, name))
        settings = load_settings()
        assert getattr(settings, table) != type(getattr(settings, table))()


def test_the_numbers_of_the_page_are_the_ones_in_the_code() -> None:
    said = " ".join((ROOT / "docs/observing.md").read_text(encoding="utf-8").split())
    assert f"{SHORTEST} characters or more" in said
    assert EXPORT_TIMEOUT == 3
    assert "three seconds at the end" in said


def test_every_rule_says_what_is_wrong_and_how_bad_that_is() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) > 8
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"].endswith((".", "list."))
