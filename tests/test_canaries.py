"""Secrets are where they are needed and nowhere else: not in answers, events, logs, tables or copies of them."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sora_gateway.http.routing import Access
from sora_gateway.http.system import System
from sora_gateway.http.table import table
from sora_gateway.store import schema
from tests.canaries import ADDED_KEY, MARK, UPSTREAM_KEY, WEBHOOK_SECRET, CanaryEntropy, leaks
from tests.lab import Lab, at_the_lab, says
from tests.live import until
from tests.processes import ROOT, program
from tests.raw_server import serving_raw
from tests.running import Person, person, running, settings_for

# --- the canaries themselves ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        UPSTREAM_KEY,
        f"{{'key': '{ADDED_KEY}'}}",
        f"<{WEBHOOK_SECRET}>",
        # Named, for it is another one in each process, and all must know the test by the same name.
        pytest.param(f"a session {CanaryEntropy().token()}", id="a session"),
        f"the key sgw_{'aB3_-' * 8}xyz0",
        "http://127.0.0.1:8000/#login=aaaaaaaaaaaaaaaaaaaaaaaa",
        "/content?expires=1&signature=aaaaaaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_every_secret_of_the_tests_is_recognised(text: str) -> None:
    assert len(leaks(text)) == 1


def test_what_is_no_secret_is_none() -> None:
    assert leaks("sgw_abcdef, whsec_, #login=TOKEN, video_0123, signature=[redacted]") == []


TESTS = f"""
import logging
import sys

log = logging.getLogger("sora_gateway.some.module")
KEY = "{UPSTREAM_KEY}"

def test_that_prints(): print(KEY)
def test_that_complains(): print(KEY, file=sys.stderr)
def test_that_writes_past_python(): __import__("os").write(1, KEY.encode())
def test_that_logs(): log.info("a key %s", KEY)
def test_that_warns_as_a_library(): logging.getLogger("library").warning({{"key": KEY}})
def test_that_logs_a_traceback():
    try:
        raise RuntimeError(KEY)
    except RuntimeError:
        log.exception("it broke")
def test_that_logs_before_it_fails():
    log.info(KEY)
    assert not "the reason"
def test_that_only_debugs(): log.debug(KEY)
def test_that_keeps_it_to_itself(): print(len(KEY))
"""


def test_a_test_that_lets_a_secret_out_fails(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.canary_plugin", "-p", "no:cacheprovider", "-rA", "test_it.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    outcomes = re.findall(r"^(PASSED|FAILED) test_it\.py::test_that_(\w+)", done.stdout, re.MULTILINE)
    assert {name: outcome for outcome, name in outcomes} == {
        "prints": "FAILED",
        "complains": "FAILED",
        "writes_past_python": "FAILED",
        "logs": "FAILED",
        "warns_as_a_library": "FAILED",
        "logs_a_traceback": "FAILED",
        "logs_before_it_fails": "FAILED",
        "only_debugs": "PASSED",
        "keeps_it_to_itself": "PASSED",
    }, done.stdout
    assert "Secrets were written to the output or the log" in done.stdout
    assert "the reason" in done.stdout


# --- what is answered and kept -------------------------------------------------------------------------

ECHO: dict[str, object] = {
    "error": {"message": f"The key {UPSTREAM_KEY} (Bearer {UPSTREAM_KEY}) may not do that."}
}
"""What some upstreams answer."""
ADDED = {
    "baseUrl": "http://127.0.0.1:1/v1", "apiKey": ADDED_KEY, "webhookSecret": WEBHOOK_SECRET, "models": {"other": "other"},
}  # fmt: skip


async def looked_at(one: Person, admin: Person, video_id: str) -> list[str]:
    """Everything that a person or an administrator can be shown of what happened, and of the gateway."""
    signed_out = {"authorization": f"Bearer {UPSTREAM_KEY}"}
    answers = [
        await one.get(f"/api/video/tasks/{video_id}"),
        await one.get(f"/v1/videos/{video_id}"),
        await one.get("/api/video/tasks"),
        await one.get("/v1/models"),
        await one.get("/health"),
        await one.get("/ready"),
        await one.get("/metrics"),
        await one.get("/openapi.json"),
        await one.get("/asyncapi.json"),
        await one.get("/api/video/tasks", headers=signed_out),
        await one.http.post(
            "/api/video/tasks", json={"prompt": "a", UPSTREAM_KEY[:64]: 1}, headers=signed_out
        ),
        await one.http.post("/hooks/upstream/lab", content=b"{}"),
        await admin.get("/api/admin/upstreams"),
        await admin.get("/api/admin/upstreams/lab"),
        await admin.get("/api/admin/upstreams/more"),
        await admin.http.post("/api/admin/upstreams/lab/test"),
        await admin.http.post("/api/admin/upstreams/more/try", json=ADDED),
        await admin.get("/api/admin/statistics"),
        await admin.get("/api/admin/storage"),
        await admin.get("/api/admin/alerts"),
    ]
    return [f"{answer.url} {answer.status_code} {answer.headers} {answer.text}" for answer in answers]


def dump(database: Path) -> str:
    """Every row of every table, as SQL."""
    with closing(sqlite3.connect(database)) as connection:
        return "\n".join(connection.iterdump())


async def test_no_answer_event_or_table_has_a_secret(tmp_path: Path) -> None:
    """An upstream that repeats our key in all it says, one that was added, people with keys and sessions."""
    lab = Lab(creates=[says(400, ECHO)], looks={"status": "failed", **ECHO})
    upstream = {"webhook_secret": WEBHOOK_SECRET}
    async with (
        at_the_lab(tmp_path, lab, upstream=upstream) as ann,
        person(ann.gateway, "eve", role="admin") as eve,
    ):
        added = (await eve.http.put("/api/admin/upstreams/more", json=ADDED)).text
        said = [""]
        async with ann.live() as live:
            await live.say(type="subscribe", all=True)
            task = await ann.make()
            while "failed" not in said[-1]:
                said.append(str(await live.next()))
        assert (await ann.task(task["videoId"]))["status"] == "failed"
        said += [added, *await looked_at(ann, eve, task["videoId"])]
        assert UPSTREAM_KEY in lab.orders[0].headers["authorization"], "where it is needed"
    said.append(dump(tmp_path / "gateway.db"))
    assert "may not do that" in "".join(said), "what the upstream said is shown, apart from the key"
    assert [leak for text in said for leak in leaks(text)] == []


async def test_no_copy_of_the_database_has_an_upstreams_key(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running(settings_for(data)) as gateway, person(gateway, "eve", role="admin") as eve:
        assert (await eve.http.put("/api/admin/upstreams/more", json=ADDED)).status_code == 200
        assert gateway.upstreams.entries["more"].api_key.get_secret_value() == ADDED_KEY
        while_it_runs = b"".join(path.read_bytes() for path in data.glob("gateway.db*"))
    backup = schema._backup(data / "gateway.db", "0001", 0.0)
    for copy in (while_it_runs, backup.read_bytes(), (data / "gateway.db").read_bytes()):
        assert b"more" in copy
        assert MARK.encode() not in copy
    # The key to what is in the database lies beside it, and in no copy of it.
    assert (data / "secrets" / "upstreams.key").read_bytes() not in backup.read_bytes()


async def test_a_process_hides_what_an_upstream_repeats_and_what_it_made_itself(tmp_path: Path) -> None:
    """:func:`tests.processes.program` looks at stderr itself, of every process of the suite."""
    config = tmp_path / "config.toml"
    async with serving_raw(says(401, ECHO)) as server:
        config.write_text(
            f'[server]\nport = 0\n[log]\nlevel = "debug"\nformat = "json"\n[upstreams.lab]\nbase_url = "{server.url}/v1"\napi_key = "{UPSTREAM_KEY}"\n'
        )
        options = ["--config", str(config), "--data-dir", str(tmp_path / "data")]
        async with program(tmp_path / "errors", "sora_gateway", "serve", *options) as gateway:
            await until(lambda: "cannot be used yet" in gateway.complaints)
    assert server.requests[0].headers["authorization"] == f"Bearer {UPSTREAM_KEY}"


# --- what anybody may see ------------------------------------------------------------------------------


PUBLIC = {
    "POST /hooks/upstream/{name}": "signed by the upstream; without a secret there is no such address",
    "GET /api/auth/methods": "how one can sign in, for the page where one does",
    "GET /api/auth/oidc/{name}/login": "leads to the provider, which asks who it is",
    "GET /health": "whether the process is alive, for whoever restarts it",
    "GET /ready": "whether it takes work, for a balancer",
    "GET /metrics": "numbers, for programs on this machine and whoever has metrics.token",
    "GET /openapi.json": "what the API is: the same for every gateway of this version, and in the repository",
    "GET /asyncapi.json": "what the live protocol is: the same",
    "GET /api/shared/{token}": "the link is the credential, for one video until it ends or is revoked",
    "GET /api/shared/{token}/content": "the same, for its files",
    "POST /api/auth/login": "the password is the credential",
    "POST /api/auth/register": "makes an account where the operator lets people make their own",
    "POST /api/auth/redeem": "the one-time link is the credential",
    "POST /api/auth/reset": "the one-time link is the credential",
}


def test_what_is_open_to_anybody_is_a_list_with_reasons() -> None:
    rows = table(System(0.0, list))
    public = {f"{row.method} {row.path}" for row in rows if row.access is Access.PUBLIC}
    assert public == set(PUBLIC)


async def test_health_tells_no_version_and_no_name_of_anything(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        health = await ann.get("/health", headers={"authorization": ""})
        assert set(health.json()) == {"status", "phase", "uptime"}
        assert "server" not in health.headers
        assert "lab" not in health.text
        for path in (
            "/admin",
            "/docs",
            "/redoc",
            "/api/admin",
            "/debug",
            "/.env",
            "/data/gateway.db",
        ):
            assert (await ann.get(path)).status_code == 404, path
