"""The operator is told, over real sockets, by a gateway that works."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sora_gateway.cli import main
from sora_gateway.settings import Settings
from tests.canaries import leaks
from tests.lab import Lab, at_the_lab, says, unused_port
from tests.raw_server import Received
from tests.receivers import FakeReceiver, receiving
from tests.running import Person, person

TOKEN = "T0c4n4ry0XXXXXXXXXXXXX"


def slack(receiver: FakeReceiver, **more: Any) -> dict[str, Any]:
    return {"kind": "slack", "url": f"http://{receiver.host}/services/{TOKEN}"} | more


async def hears(receiver: FakeReceiver, words: str, number: int = 1) -> list[Received]:
    """The messages with *words*, once there are so many."""
    async with asyncio.timeout(20):
        while True:
            found = [each for each in receiver.received if words in each.body.decode()]
            if len(found) >= number:
                return found
            receiver.arrived.clear()
            await receiver.arrived.wait()


async def post(admin: Person, path: str) -> Any:
    answer = await admin.http.post(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_goes_wrong_is_told_to_everybody_who_wants_to_know(tmp_path: Path) -> None:
    """One that never answers and one that is not there delay nobody."""
    lab = Lab(creates=[says(500)])
    async with receiving() as ops, receiving() as phone, receiving("silent") as dead:
        alerts = {
            "dead": {"kind": "json", "url": dead.url},
            "gone": {"kind": "feishu", "url": f"http://127.0.0.1:{unused_port()}/{TOKEN}", "secret": TOKEN},
            "ops": slack(ops, language="zh"),
            "phone": {"kind": "ntfy", "url": f"http://{phone.host}/lab-alerts", "about": ["unknown"]},
        }
        async with (
            at_the_lab(tmp_path, lab, alerts=alerts) as ann,
            person(ann.gateway, "eve", role="admin") as eve,
        ):
            assert (await eve.get("/api/admin/alerts")).json()["active"] == []
            await post(eve, "/api/admin/upstreams/lab/pause")
            (told,) = await hears(ops, "上游 lab 已被管理员停用")
            assert told.target == f"/services/{TOKEN}"
            said = (await eve.get("/api/admin/alerts")).text
            shown = json.loads(said)
            assert [each["text"] for each in shown["active"]] == [
                "Upstream lab is switched off by an administrator. Its videos wait."
            ]
            standing = {each["name"]: each for each in shown["destinations"]}
            assert list(standing) == list(alerts)
            assert standing["ops"]["latest"] == {"delivered": True, "status": 204, "code": None, "error": ""}
            assert leaks(said) == []

            await post(eve, "/api/admin/upstreams/lab/resume")
            await hears(ops, "上游 lab 不再暂停")
            assert len(ops.received) == 2
            assert not phone.received, "it wants to hear of doubts only"

            task = await ann.make()
            await ann.comes_to(task["videoId"], "unknown")
            (doubt,) = await hears(phone, "upstream lab may have accepted")
            assert (doubt.target, doubt.json["topic"], doubt.json["priority"]) == ("/", "lab-alerts", 4)
            assert "a paper boat" not in doubt.body.decode(), "a prompt is nobody's there"
            gone = {
                each["name"]: each for each in (await eve.get("/api/admin/alerts")).json()["destinations"]
            }["gone"]
            assert gone["failures"] > 0
            assert gone["latest"]["error"] == "no connection could be made"
            await eve.http.post(f"/api/admin/jobs/{task['videoId']}/give-up")


async def test_a_restart_neither_repeats_nor_forgets(tmp_path: Path) -> None:
    async with receiving() as ops:
        alerts = {"ops": slack(ops, repeat_after=0)}
        async with (
            at_the_lab(tmp_path, Lab(), alerts=alerts) as ann,
            person(ann.gateway, "eve", role="admin") as eve,
        ):
            await post(eve, "/api/admin/upstreams/lab/pause")
            await hears(ops, "switched off")
        async with (
            at_the_lab(tmp_path, Lab(), alerts=alerts) as ann,
            person(ann.gateway, "eve", role="admin") as eve,
        ):
            await asyncio.sleep(0.5)  # four minutes of the gateway: twice what it takes to be over
            assert len(ops.received) == 1
            await post(eve, "/api/admin/upstreams/lab/resume")
            await hears(ops, "not paused any more")
        assert len(ops.received) == 2


async def test_a_destination_that_comes_back_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiving(500, 429, "closes", 200) as ops:
        async with (
            at_the_lab(tmp_path, Lab(), alerts={"ops": slack(ops)}) as ann,
            person(ann.gateway, "eve", role="admin") as eve,
        ):
            with caplog.at_level(logging.INFO, "sora_gateway.alerts"):
                await post(eve, "/api/admin/upstreams/lab/pause")
                await hears(ops, "switched off", 4)
                await asyncio.sleep(0.2)
        assert len(ops.received) == 4
    lines = [each.getMessage() for each in caplog.records if each.name == "sora_gateway.alerts.alerter"]
    assert lines == ["alerts do not reach ops: status 500", "alerts reach ops again"], (
        "said once, not at every try"
    )


async def test_an_administrator_can_send_a_test(tmp_path: Path) -> None:
    async with (
        receiving(200, 302) as ops,
        at_the_lab(tmp_path, Lab(), alerts={"ops": slack(ops)}) as ann,
        person(ann.gateway, "eve", role="admin") as eve,
    ):
        path = "/api/admin/alerts/ops/test"
        fine = await post(eve, path)
        assert fine == {"delivered": True, "status": 200, "code": None, "error": ""}
        assert "This is a test" in ops.received[0].body.decode()
        assert (await post(eve, path))["status"] == 302, "redirects are not followed"
        assert len(ops.received) == 2
        missing = await eve.http.post("/api/admin/alerts/nobody/test")
        assert missing.json()["error"]["code"] == "not_found"
        assert (await ann.http.post(path)).status_code == 404


async def test_without_destinations_nobody_looks_and_the_page_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann, person(ann.gateway, "eve", role="admin") as eve:
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("alerts")]
        await post(eve, "/api/admin/upstreams/lab/pause")
        shown = (await eve.get("/api/admin/alerts")).json()
        assert [each["cause"] for each in shown["active"]] == ["switched_off"]
        assert shown["destinations"] == []


# --- the command -----------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.upper().startswith("SORA_GATEWAY_"):
            monkeypatch.delenv(name)
    return tmp_path


async def command(*words: str) -> int:
    """Beside a server in this process it needs a thread of its own."""
    return await asyncio.to_thread(main, words)


async def test_the_command_says_what_was_answered_and_nothing_else(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with receiving(200) as ops, receiving(403) as lost:
        (place / "config.toml").write_text(
            f'[alerts.ops]\nkind = "slack"\nurl = "http://{ops.host}/{TOKEN}"\n'
            f'[alerts.lost]\nkind = "dingtalk"\nurl = "http://{lost.host}/robot/send?access_token={TOKEN}"\n'
            f'[alerts.gone]\nkind = "ntfy"\nurl = "http://127.0.0.1:{unused_port()}/topic"\n'
        )
        assert await command("alerts", "test") == 1
        told = capsys.readouterr()
        assert told.out.splitlines() == [
            "ok    ops (slack): status 200",
            "FAIL  lost (dingtalk): status 403",
            "FAIL  gone (ntfy): no connection could be made",
        ]
        assert leaks(told.out + told.err) == []
        assert await command("alerts", "test", "ops") == 0
        assert len(ops.received) == 2
        assert not (place / "data").exists(), "no gateway is needed, and none is begun"
    assert await command("alerts", "test", "nobody") == 1
    assert "no table [alerts.nobody]" in capsys.readouterr().err
    assert await command("config", "show") == 0
    assert leaks(capsys.readouterr().out) == []
    await command("doctor")
    assert "alerts: told to ops (slack), lost (dingtalk), gone (ntfy)" in capsys.readouterr().out


async def test_without_alerts_the_command_says_where_to_read(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("alerts", "test") == 1
    assert "docs/operating.md" in capsys.readouterr().err
    assert await command("doctor") == 0
    assert "alerts: none set" in capsys.readouterr().out


async def test_what_an_address_has_in_it_is_hidden_in_logs(tmp_path: Path) -> None:
    from sora_gateway.alerts.opening import alerter
    from sora_gateway.clock import SystemClock
    from sora_gateway.entropy import SystemEntropy
    from sora_gateway.logs.redaction import Redactor

    redactor = Redactor()
    hide: Callable[..., None] = redactor.add
    settings = Settings.model_construct(
        alerts=Settings.model_validate(
            {"alerts": {"ops": {"kind": "slack", "url": f"https://hooks.slack.com/services/T00/{TOKEN}"}}}
        ).alerts
    )
    clock, entropy = SystemClock(), SystemEntropy()
    alerter(settings, {}, None, lambda: 0, clock, entropy, hide, lambda: False)  # type: ignore[arg-type]  # no store
    assert redactor.shown(f"POST /services/T00/{TOKEN} failed", 100) == "POST /services/T00/[redacted] failed"
