"""A database from before there were scopes, identities and links of several kinds: who was in stays in."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sora_gateway.accounts.tokens import digest
from sora_gateway.store import migrate
from tests.canaries import MARK
from tests.people import browser, hashed, login
from tests.running import running, settings_for
from tests.stores import EPOCH, MIGRATIONS
from tests.team import client

BEFORE = "0003"
PEOPLE = {"root": "Root@Example.org", "twin": "root@example.org", "anne": "\u00c4nne@example.org"}
"""Addresses were kept as they were typed, and two could differ in nothing but their case."""
DAY = 86400.0


def of_old(database: Path) -> None:
    """Three people, each with a password, a session three weeks old and a key of then."""
    migrate.upgrade(database, MIGRATIONS, BEFORE)
    now = time.time()
    with closing(sqlite3.connect(database, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode=WAL")
        old.execute("INSERT INTO meta (key, value) VALUES ('epoch', ?)", (EPOCH,))
        for name, email in PEOPLE.items():
            role = "admin" if name == "root" else "member"
            old.execute(
                "INSERT INTO users (id, email, role, password_hash, available, held, created_at)"
                " VALUES (?, ?, ?, ?, 0, 0, ?)",
                (name, email, role, hashed(), now),
            )
            old.execute(
                "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
                (digest(f"{MARK} {name}"), name, now - 21 * DAY, now + DAY),
            )
            old.execute(
                "INSERT INTO api_keys (id, user_id, name, prefix, key_hash, created_at) VALUES (?, ?, 'ci', 'sgw_', ?, ?)",
                (f"key_{name}", name, digest(f"sgw_{MARK}{name}"), now),
            )
        old.execute(
            "INSERT INTO login_links (token_hash, user_id, expires_at) VALUES (?, 'root', ?)",
            (digest(f"{MARK} link"), now + 3600),
        )


async def test_sessions_and_keys_of_before_work_on_and_a_link_is_had_anew(tmp_path: Path) -> None:
    of_old(tmp_path / "gateway.db")
    async with running(settings_for(tmp_path)) as gateway, client(gateway) as http:
        for name in PEOPLE:
            for token in (f"{MARK} {name}", f"sgw_{MARK}{name}"):
                bearer = {"Authorization": f"Bearer {token}"}
                me = (await http.get("/api/auth/me", headers=bearer)).json()
                assert (me["user"]["id"], len(me["scopes"]), me["freshUntil"]) == (name, 4, None)
        old = {"Authorization": f"Bearer {MARK} root"}
        (listed,) = (await http.get("/api/auth/sessions", headers=old)).json()["sessions"]
        assert listed["current"]
        # Their sign-in is long ago; a key of then administers as it did.
        assert (await http.post("/api/admin/invitations", json={}, headers=old)).status_code == 403
        key = {"Authorization": f"Bearer sgw_{MARK}root"}
        assert (await http.post("/api/admin/invitations", json={}, headers=key)).status_code == 201
        link = {"token": f"{MARK} link"}
        assert (await http.post("/api/auth/redeem", json=link)).status_code == 401


async def test_everybody_signs_in_by_the_address_that_they_were_given(tmp_path: Path) -> None:
    of_old(tmp_path / "gateway.db")
    async with running(settings_for(tmp_path)) as gateway, browser(gateway) as page:
        for name, email in PEOPLE.items():
            assert (await login(page, email)).json()["user"]["id"] == name, email
