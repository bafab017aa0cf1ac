"""What administrators see of people, and do about them: real requests, real sessions, real keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from sora_gateway.app import Gateway
from sora_gateway.core.actor import COMMAND_LINE
from sora_gateway.core.principal import EVERYTHING
from sora_gateway.errors import CloseCode
from tests.running import Json, Live, Person, person, running, settings_for
from tests.team import client

PATH = "/api/admin/users"
PASSWORD = "seven paper boats"


@dataclass
class Place:
    gateway: Gateway
    root: Person
    ann: Person
    bob: Person

    async def change(self, who: Person, **fields: Any) -> Json:
        answer = await self.root.http.patch(f"{PATH}/{who.user_id}", json=fields)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def told(self, who: Person) -> Json:
        return dict((await self.root.get(f"{PATH}/{who.user_id}")).json())

    async def actions(self, who: Person) -> list[str]:
        return [entry.action for entry in await self.gateway.store.audited(who.user_id)]


@asynccontextmanager
async def a_place(directory: Path, **sections: Any) -> AsyncIterator[Place]:
    """Root administers; Ann and Bob are members."""
    async with (
        running(settings_for(directory, **sections)) as gateway,
        person(gateway, "root", "admin") as root,
        person(gateway, "ann", credits=7) as ann,
        person(gateway, "bob") as bob,
    ):
        yield Place(gateway, root, ann, bob)


@asynccontextmanager
async def signed_in(gateway: Gateway, email: str) -> AsyncIterator[httpx.AsyncClient]:
    async with client(gateway) as browser:
        token = await gateway.accounts.new_login_link(email)
        answer = await browser.post("/api/auth/redeem", json={"token": token, "session": "bearer"})
        browser.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        yield browser


# --- seeing ------------------------------------------------------------------------------------------


async def test_people_are_found_by_their_plan_and_counted_by_whether_they_have_one(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        root = place.root.http
        await root.put("/api/admin/plans/studio", json={"concurrency": 2})
        given = await root.put(f"{PATH}/{place.ann.user_id}/plan", json={"plan": "studio"})
        assert given.status_code == 200, given.text
        told = await place.told(place.ann)
        assert (told["plan"], told["planUntil"]) == ("studio", None)
        on_it = (await root.get(PATH, params={"plan": "studio"})).json()["users"]
        assert [user["email"] for user in on_it] == ["ann@example.org"]
        without = (await root.get(PATH, params={"plan": "default"})).json()["users"]
        assert {user["email"] for user in without} == {"root@example.org", "bob@example.org"}
        await place.change(place.bob, disabled=True)
        people = (await root.get("/api/admin/stats")).json()["people"]
        assert people == {"everybody": 3, "disabled": 1, "withoutPlan": 1}


async def test_a_person_is_shown_with_credits_keys_sessions_and_their_latest_use(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        before = await place.told(place.bob)
        assert (before["keys"], before["sessions"], before["hasPassword"]) == (1, 0, False)
        assert before["lastSeenAt"] is None
        async with signed_in(place.gateway, "ann@example.org") as browser:
            await browser.get("/api/auth/me")
            told = await place.told(place.ann)
        assert (told["email"], told["role"], told["disabledAt"]) == ("ann@example.org", "member", None)
        assert (told["available"], told["held"]) == (7, 0)
        assert (told["keys"], told["sessions"], told["identities"]) == (1, 1, 0)
        assert told["lastSeenAt"] is not None
        assert (await place.root.get(f"{PATH}/user_none")).status_code == 404


async def test_people_are_searched_and_paged(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        await place.change(place.bob, disabled=True)

        async def found(**query: Any) -> set[str]:
            answer = await place.root.get(PATH, params=query)
            assert answer.status_code == 200, answer.text
            return {user["email"].partition("@")[0] for user in answer.json()["users"]}

        assert await found() == {"root", "ann", "bob"}
        assert await found(search="ANN@") == {"ann"}
        assert await found(search="%") == set()
        assert await found(role="admin") == {"root"}
        assert await found(disabled="true") == {"bob"}
        assert await found(disabled="false", role="member") == {"ann"}
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = (await place.root.get(PATH, params={"limit": 1} | after)).json()
            seen += [user["id"] for user in page["users"]]
            if not page["hasMore"]:
                break
            after = {"after": page["users"][-1]["id"]}
        assert sorted(seen) == ["user_ann", "user_bob", "user_root"]


# --- adding ------------------------------------------------------------------------------------------


async def test_somebody_who_is_added_signs_in_with_the_password_and_has_the_starting_balance(
    tmp_path: Path,
) -> None:
    async with a_place(tmp_path, credits={"starting_balance": 12}) as place:
        wish = {"email": " Cleo@Example.org ", "role": "viewer", "password": PASSWORD}
        answer = await place.root.http.post(PATH, json=wish)
        cleo = answer.json()
        assert (answer.status_code, cleo["email"], cleo["role"]) == (201, "cleo@example.org", "viewer")
        assert (cleo["available"], cleo["hasPassword"]) == (12, True)
        async with client(place.gateway) as browser:
            login = {"email": "cleo@example.org", "password": PASSWORD, "session": "bearer"}
            assert (await browser.post("/api/auth/login", json=login)).status_code == 200
        (entry,) = await place.gateway.store.audited(cleo["id"])
        assert (entry.actor, entry.action, entry.address) == ("user_root", "user.create", "127.0.0.1")
        assert PASSWORD not in entry.detail


@pytest.mark.parametrize(
    ("wish", "status", "param"),
    [
        ({"email": "ann@example.org"}, 409, None),
        ({"email": "ANN@example.org"}, 409, None),
        ({"email": "no address"}, 400, "email"),
        ({"email": "new@example.org", "password": "short"}, 400, "password"),
        ({"email": "new@example.org", "role": "king"}, 400, "role"),
        ({"email": "new@example.org", "credits": 1000}, 400, "credits"),
        ({"role": "member"}, 400, "email"),
    ],
)
async def test_somebody_who_cannot_be_is_not_added(
    tmp_path: Path, wish: Json, status: int, param: str | None
) -> None:
    async with a_place(tmp_path) as place:
        answer = await place.root.http.post(PATH, json=wish)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
        assert len(await place.gateway.store.people.users()) == 3


# --- roles and disabling ---------------------------------------------------------------------------------


async def test_a_role_holds_from_the_next_request_on(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        video = await place.bob.make("a paper boat that only Bob may see")
        await place.bob.comes_to(video["videoId"], "completed")
        path = f"/api/video/tasks/{video['videoId']}"
        assert (await place.ann.get(path)).status_code == 404
        assert (await place.ann.get(PATH)).status_code == 404
        await place.change(place.ann, role="admin")
        assert (await place.ann.get(path)).status_code == 200
        assert (await place.ann.get(PATH)).status_code == 200
        await place.change(place.ann, role="viewer")
        assert (await place.ann.get(path)).status_code == 404
        assert (await place.ann.get(PATH)).status_code == 404
        refused = await place.ann.http.post("/api/video/tasks", json={"prompt": "a boat"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        assert await place.actions(place.ann) == ["user.role", "user.role"]


async def test_whoever_is_disabled_is_out_at_once_and_comes_back_with_their_keys(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, signed_in(place.gateway, "ann@example.org") as browser:
        told: list[str] = []
        place.gateway.accounts.revoked = told.append
        link = (await place.root.http.post(f"{PATH}/user_ann/login-link")).json()["token"]
        assert (await place.change(place.ann, disabled=True))["disabledAt"] is not None
        assert told == ["user_ann"], "what is open has to be looked at again"
        assert (await browser.get("/api/auth/me")).status_code == 401
        assert (await place.ann.get("/api/auth/me")).status_code == 401
        async with client(place.gateway) as stranger:
            assert (await stranger.post("/api/auth/redeem", json={"token": link})).status_code == 401
        for kind in ("login-link", "reset-link"):
            assert (await place.root.http.post(f"{PATH}/user_ann/{kind}")).status_code == 409
        assert (await place.change(place.ann, disabled=False))["disabledAt"] is None
        assert (await place.ann.get("/api/auth/me")).status_code == 200
        assert (await browser.get("/api/auth/me")).status_code == 401, "sessions stay ended"
        assert await place.actions(place.ann) == ["link.login", "user.disable", "user.enable"]


async def closed_with(live: Live) -> int:
    """The code with which the gateway closes it, within two seconds."""
    async with asyncio.timeout(2):
        while True:
            try:
                await live.next()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd is not None else 0


async def test_what_is_open_is_closed_within_two_seconds(tmp_path: Path) -> None:
    """The quarter of a minute until the next look at the rights does not count."""
    async with a_place(tmp_path) as place:
        await place.change(place.bob, role="admin")
        async with place.ann.live() as anns, place.bob.live() as bobs:
            for live in (anns, bobs):
                await live.say(type="subscribe", all=True)
                assert (await live.next())["type"] == "subscribed"
            await place.change(place.ann, disabled=True)
            assert await closed_with(anns) == CloseCode.FORBIDDEN
            # Bob comes back, and follows his own from then on.
            await place.change(place.bob, role="member")
            assert await closed_with(bobs) == CloseCode.RESYNC


async def test_a_change_that_changes_nothing_is_not_written_down(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        await place.change(place.ann, role="member", disabled=False)
        await place.change(place.ann)
        assert await place.actions(place.ann) == []


async def test_the_last_administrator_stays_one(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        for change in ({"role": "member"}, {"disabled": True}, {"role": "viewer", "disabled": True}):
            answer = await place.root.http.patch(f"{PATH}/user_root", json=change)
            assert answer.status_code == 409
            assert "only administrator" in answer.json()["error"]["message"]
        assert await place.actions(place.root) == []
        # One who is disabled does not count.
        await place.change(place.ann, role="admin")
        await place.change(place.ann, disabled=True)
        assert (await place.root.http.patch(f"{PATH}/user_root", json={"disabled": True})).status_code == 409
        await place.change(place.ann, disabled=False)
        assert (await place.change(place.root, role="member"))["role"] == "member"
        assert (await place.root.get(PATH)).status_code == 404
        assert (await place.ann.get(PATH)).status_code == 200


async def test_two_administrators_who_demote_each_other_leave_one(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        await place.change(place.ann, role="admin")
        answers = [
            await place.root.http.patch(f"{PATH}/user_ann", json={"disabled": True}),
            await place.ann.http.patch(f"{PATH}/user_root", json={"disabled": True}),
        ]
        assert [answer.status_code for answer in answers] == [200, 401]
        assert await place.gateway.store.people.has_admin()


async def test_what_an_administrator_had_made_for_others_to_come_in_by_ends_with_their_rights(
    tmp_path: Path,
) -> None:
    async with a_place(tmp_path) as place:
        await place.change(place.ann, role="admin")
        made = await place.ann.http.post("/api/admin/invitations", json={"role": "admin"})
        theirs = await place.root.http.post("/api/admin/invitations", json={})
        await place.change(place.ann, role="member")
        left = (await place.root.get("/api/admin/invitations")).json()["invitations"]
        assert [each["id"] for each in left] == [theirs.json()["id"]]
        async with client(place.gateway) as stranger:
            wish = {"email": "x@example.org", "password": PASSWORD, "invitation": made.json()["token"]}
            assert (await stranger.post("/api/auth/register", json=wish)).status_code == 403


# --- links, sessions, keys -------------------------------------------------------------------------------


async def test_a_reset_link_sets_a_password_once_and_a_login_link_signs_in(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, client(place.gateway) as stranger:
        made = await place.root.http.post(f"{PATH}/user_ann/reset-link")
        link = made.json()
        assert (made.status_code, link["url"]) == (201, f"{place.gateway.address}/#reset={link['token']}")
        wish = {"token": link["token"], "password": PASSWORD}
        assert (await stranger.post("/api/auth/reset", json=wish)).status_code == 204
        assert (await stranger.post("/api/auth/reset", json=wish)).status_code == 401
        login = {"email": "ann@example.org", "password": PASSWORD, "session": "bearer"}
        assert (await stranger.post("/api/auth/login", json=login)).status_code == 200
        link = (await place.root.http.post(f"{PATH}/user_bob/login-link")).json()
        assert link["url"].endswith(f"/#login={link['token']}")
        signed = await stranger.post("/api/auth/redeem", json={"token": link["token"], "session": "bearer"})
        assert signed.json()["user"]["id"] == "user_bob"
        entries = [
            entry
            for user_id in ("user_ann", "user_bob")
            for entry in await place.gateway.store.audited(user_id)
            if entry.actor == "user_root"
        ]
        assert [entry.action for entry in entries] == ["link.reset", "link.login"]
        assert all(link["token"] not in entry.detail for entry in entries)


async def test_links_begin_with_the_address_that_people_are_given(tmp_path: Path) -> None:
    public = {"public_url": "https://videos.example.org/lab", "root_path": "/lab"}
    async with a_place(tmp_path, server=public) as place:
        link = (await place.root.http.post(f"{PATH}/user_ann/reset-link")).json()
        assert link["url"] == f"https://videos.example.org/lab/#reset={link['token']}"


async def test_links_lead_below_the_path_and_to_nobody_elses_page_above_it(tmp_path: Path) -> None:
    async with a_place(tmp_path, server={"root_path": "/lab"}) as place:
        assert place.gateway.address.endswith("/lab")
        link = (await place.root.http.post(f"{PATH}/user_ann/reset-link")).json()
        assert link["url"] == f"{place.gateway.address}/#reset={link['token']}"
        invitation = (await place.root.http.post("/api/admin/invitations", json={})).json()
        assert invitation["url"] == f"{place.gateway.address}/#invite={invitation['token']}"


async def test_sessions_are_ended_from_afar_and_keys_stay(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, signed_in(place.gateway, "ann@example.org") as browser:
        told: list[str] = []
        place.gateway.accounts.revoked = told.append
        assert (await place.root.http.post(f"{PATH}/user_ann/end-sessions")).status_code == 204
        assert told == ["user_ann"]
        assert (await browser.get("/api/auth/me")).status_code == 401
        assert (await place.ann.get("/api/auth/me")).status_code == 200
        assert (await place.root.http.post(f"{PATH}/user_none/end-sessions")).status_code == 404
        assert await place.actions(place.ann) == ["session.end_all"]


async def test_a_persons_keys_are_listed_without_their_text_and_revoked(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        text, record = await place.gateway.accounts.create_key(
            "user_ann", "lost", EVERYTHING, None, COMMAND_LINE
        )
        answer = await place.root.get(f"{PATH}/user_ann/keys")
        assert {key["name"] for key in answer.json()["keys"]} == {"lost", "test"}
        assert text not in answer.text
        # The key has to be the person's whom the address names.
        assert (await place.root.http.delete(f"{PATH}/user_bob/keys/{record.id}")).status_code == 404
        assert (await place.root.http.delete(f"{PATH}/user_ann/keys/{record.id}")).status_code == 204
        async with client(place.gateway, text) as program:
            assert (await program.get("/api/auth/me")).status_code == 401
        actions = [(entry.actor, entry.action) for entry in await place.gateway.store.audited(record.id)]
        assert actions == [("command line", "key.create"), ("user_root", "key.revoke")]
        assert (await place.root.get(f"{PATH}/user_none/keys")).status_code == 404


async def test_nobody_can_be_deleted(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        assert (await place.root.http.delete(f"{PATH}/user_ann")).status_code == 405
