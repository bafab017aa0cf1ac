"""``credits``, ``plan`` and ``code`` on the command line: the same beside a running gateway and without one."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.accounts.codes import MOST
from sora_gateway.cli import credits, main
from sora_gateway.cli.operate import offline, operate
from sora_gateway.core import job as j
from sora_gateway.core.job import ExternalId, JobId
from sora_gateway.http.admin_plans import MOST_DAYS
from sora_gateway.settings import Settings
from sora_gateway.store.credits import MOST_CREDITS
from tests.jobs import accepted, walk
from tests.people import actions
from tests.running import person, running, settings_for

EMAIL = "ann@example.org"


@pytest.fixture(autouse=True)
def _an_empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.upper().startswith("SORA_GATEWAY_"):
            monkeypatch.delenv(name)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command prints: its lines, whose exit code has to be *status*."""

    def run(*arguments: str, status: int = 0) -> list[str]:
        capsys.readouterr()
        assert main(arguments) == status, capsys.readouterr()
        printed = capsys.readouterr()
        return (printed.err if status else printed.out).splitlines()

    return run


async def disputed(settings: Settings, *, sort: str = "job") -> str:
    """A stored job of Ann's whose file was lost; its id."""
    async with offline(settings) as services:
        ann = await services.store.people.by_email(EMAIL)
        job = await accepted(services.store, owner=ann.id, id=JobId(f"video_{sort}"), credits=5)
        lost = await walk(
            services.store,
            job,
            j.Claimed(1.0),
            j.Accepted(2.0, ExternalId(f"ext_{sort}")),
            j.UpstreamCompleted(3.0),
            j.FileLost(4.0, "file_lost", "The file is not there."),
        )
        return lost.id


def test_credits_are_given_corrected_and_shown(said: Any) -> None:
    said("user", "create", EMAIL)
    assert said("credits", "grant", EMAIL, "50", "--note", "welcome") == [
        "ann@example.org has 50 credits, and 0 held."
    ]
    assert said("credits", "adjust", EMAIL, "-20", "--note", "a mistake") == [
        "ann@example.org has 30 credits, and 0 held."
    ]
    balance, plan, adjusted, granted = said("credits", "show", EMAIL)
    assert balance == "ann@example.org has 30 credits, and 0 held."
    assert plan == "Plan default; asked for 0 videos in the last hour and 0 in the last day, 0 credits."
    assert ("adjust" in adjusted, "-20" in adjusted, "a mistake" in adjusted) == (True,) * 3
    assert ("grant" in granted, "+50" in granted, "welcome" in granted) == (True,) * 3
    assert said("credits", "check") == ["The books balance."]


def test_what_the_books_do_not_allow_is_one_sentence(said: Any) -> None:
    said("user", "create", EMAIL)
    for words, sentence in (
        (("credits", "adjust", EMAIL, "-1", "--note", "x"), "Only 0 credits are there"),
        (("credits", "adjust", EMAIL, "0", "--note", "x"), "A correction is 1 to"),
        (("credits", "adjust", EMAIL, "1", "--note", " "), "Say why"),
        (("credits", "grant", "bob@example.org", "1"), "bob@example.org"),
        (("credits", "settle", "video_none"), "There is no video by that id."),
        (("plan", "set", EMAIL, "gold"), "There is no plan 'gold'."),
        (("plan", "set", EMAIL, "default", "--until", "tomorrow"), "Say a moment like"),
        (("plan", "set", EMAIL, "default", "--until", "2001-01-01T00:00:00Z"), "ended already"),
        (("code", "create"), "A code gives credits, a plan, or both."),
        (("code", "create", "--plan", "gold"), "There is no plan 'gold'."),
        (("code", "revoke", "code_none"), "There is no such code."),
    ):
        (line,) = said(*words, status=1)
        assert sentence in line, words
    for words in (
        ("credits", "grant", EMAIL, "0"),
        ("credits", "adjust", EMAIL, "5"),
        ("code", "create", "--count", "101"),
    ):
        with pytest.raises(SystemExit) as wrong:
            main(words)
        assert wrong.value.code == 2


async def test_disputes_are_listed_and_decided_on(said: Any, tmp_path: Path) -> None:
    settings = Settings(data_dir=Path("data"))
    await asyncio.to_thread(said, "user", "create", EMAIL)
    await asyncio.to_thread(said, "credits", "grant", EMAIL, "50")
    kept, given = await disputed(settings, sort="kept"), await disputed(settings, sort="given")

    def decide() -> None:
        lines = said("credits", "disputes")
        assert {line.split()[0] for line in lines} == {kept, given}
        assert all("5 credits" in line and EMAIL in line for line in lines)
        assert said("credits", "settle", kept) == [f"The 5 credits of {kept} are settled."]
        assert said("credits", "release", given) == [f"The 5 credits of {given} are released."]
        (again,) = said("credits", "release", kept, status=1)
        assert "settled or given back already" in again
        assert said("credits", "disputes") == []
        assert said("credits", "show", EMAIL)[0] == "ann@example.org has 45 credits, and 0 held."
        assert any("job.settle" in line and "command line" in line for line in said("audit"))

    await asyncio.to_thread(decide)


def test_plans_are_listed_and_given(said: Any) -> None:
    Path("config.toml").write_text('[plans.gold]\nper_day = 50\npriority = "vip"\n')
    said("user", "create", EMAIL)
    until = "2999-01-01T00:00:00Z"
    assert said("plan", "set", EMAIL, "gold", "--until", until) == [
        "ann@example.org has the plan gold until 2999-01-01T00:00:00.000Z."
    ]
    default, gold = said("plan", "list")
    assert default.startswith("default")
    assert ("50 a day" in gold, "vip" in gold, "1 people" in gold) == (True,) * 3
    assert said("plan", "set", EMAIL, "default") == ["ann@example.org has the plan default."]


def test_codes_are_printed_once_listed_and_revoked(said: Any) -> None:
    new = said(
        "code",
        "create",
        "--count",
        "2",
        "--credits",
        "5",
        "--uses",
        "3",
        "--expires",
        "2",
        "--note",
        "launch",
    )
    assert [len(code) for code in new] == [24, 24]
    listed = said("code", "list")
    assert {line.split()[1] for line in listed} == {f"{code[:4]}..." for code in new}
    assert all("3 uses left" in line and "launch" in line for line in listed)
    code_id = listed[0].split()[0]
    assert said("code", "revoke", code_id) == [f"{code_id} is revoked."]
    assert "revoked 20" in said("code", "list")[0]


async def test_a_gateway_that_runs_notices_what_the_command_line_changes(tmp_path: Path) -> None:
    settings = settings_for(
        tmp_path / "data",
        credits={"enabled": True},
        pricing={"per_video": 5},
        plans={"none": {"may_generate": False}, "gold": {"priority": "vip"}},
    )
    async with running(settings) as gateway, person(gateway) as ann:

        async def run(operation: str, **arguments: Any) -> Any:
            return await asyncio.to_thread(operate, settings, operation, **arguments)

        wish = {"prompt": "a paper boat"}
        assert (await ann.http.post("/api/video/tasks", json=wish)).status_code == 402
        await run("credits.grant", email=EMAIL, amount=50, note="")
        assert (await ann.http.post("/api/video/tasks", json=wish)).status_code == 202
        await run("plan.set", email=EMAIL, plan="none")
        assert (await ann.http.post("/api/video/tasks", json=wish)).status_code == 403
        await run("plan.set", email=EMAIL, plan="default")
        (new,) = await run("code.create", plan="gold", plan_days=3)
        redeemed = await ann.http.post("/api/credits/redeem", json={"code": new["code"]})
        assert redeemed.status_code == 200, redeemed.text
        assert (await ann.http.post("/api/video/tasks", json=wish)).json()["priority"] == "vip"
        shown = await run("credits.show", email=EMAIL)
        assert (shown["used"]["hour"], shown["plan"]) == (2, "gold")
        (latest, *_) = (await ann.get("/api/credits/ledger")).json()["entries"]
        assert latest["kind"] in {"hold", "settle"}
        assert await actions(gateway, "user_ann") == ["credits.grant", "plan.give", "plan.give"]
        assert (await run("credits.check"))["complaints"] == []


def test_the_command_line_knows_the_bounds_of_the_api() -> None:
    assert (credits.MOST, credits.MOST_CODES, credits.MOST_DAYS) == (MOST_CREDITS, MOST, MOST_DAYS)
