"""What administrators decide, and what becomes of it in the browsers of others."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.e2e.acts import FINISHED, confirm, is_live, order, studio
from tests.e2e.browser import visiting
from tests.lab import Lab
from tests.raw_server import Received, Wire
from tests.receivers import receiving
from tests.running import person, running, settings_for


async def close_at_once(_: Received, wire: Wire) -> None:
    """Takes the create and answers nothing."""


async def test_an_unknown_outcome_is_given_up_or_adopted(browser: Browser, tmp_path: Path) -> None:
    lab = Lab(creates=[close_at_once])
    async with (
        studio(tmp_path, lab, credits={"enabled": True}) as gateway,
        person(gateway, credits=100) as ann,
        visiting(browser, gateway) as root,
    ):
        lost, found = [await ann.make(prompt) for prompt in ("lost in the mail", "found in the post")]
        for task in (lost, found):
            await ann.comes_to(task["videoId"], "unknown")
        await root.sign_in()
        page = root.page
        await root.arrive("#/admin/overview")
        await page.get_by_role("link", name="Videos of unknown outcome: 2").click()
        first = page.get_by_role("listitem", name="lost in the mail")
        await first.get_by_role("button", name="Give up").click()
        await confirm(root, "Give up")
        await expect(
            page.get_by_role("listitem").filter(has_text="is closed, and the credits are back.")
        ).to_be_visible()
        assert (await ann.comes_to(lost["videoId"], "failed"))["error"]["code"] == "given_up"

        second = page.get_by_role("listitem", name="found in the post")
        await second.get_by_label("The upstream's id of it").fill("ext-9")
        lab.looks = FINISHED
        await second.get_by_role("button", name="This is it").click()
        await confirm(root, "This is it")
        assert (await ann.comes_to(found["videoId"], "completed"))["externalVideoId"] == "ext-9"
        await expect(page.get_by_text("Nothing is in doubt")).to_be_visible()


async def test_who_is_told_of_troubles_is_seen_and_tried(browser: Browser, tmp_path: Path) -> None:
    async with receiving() as ops:
        alerts = {
            "ops": {"kind": "slack", "url": f"http://{ops.host}/services/T0"},
            "phone": {"kind": "ntfy", "url": f"http://{ops.host}/phone", "about": ["backup"]},
        }
        async with (
            studio(tmp_path, Lab(), alerts=alerts) as gateway,
            person(gateway, "eve", role="admin") as eve,
            visiting(browser, gateway) as root,
        ):
            await eve.http.post("/api/admin/upstreams/lab/pause")
            await root.sign_in("eve@example.org")
            await root.arrive("#/admin/overview")
            told, quiet = (root.page.get_by_role("listitem", name=name) for name in alerts)
            await expect(
                told.get_by_text("Upstream lab is switched off by an administrator.")
            ).to_be_visible()
            await expect(quiet.get_by_text("Nothing is raised now.")).to_be_visible()
            await expect(quiet.get_by_text("Nothing was sent since the start.")).to_be_visible()
            await quiet.get_by_role("button", name="Send a test to phone").click()
            await expect(quiet.get_by_text("The test arrived.")).to_be_visible()
            await expect(quiet.get_by_text("Last told: now")).to_be_visible()
            ops.behaves = [403]
            await quiet.get_by_role("button", name="Send a test to phone").click()
            await expect(quiet.get_by_text("The test did not arrive.")).to_be_visible()
            await expect(quiet.get_by_text("(HTTP 403)")).to_be_visible()


async def test_disputed_credits_are_given_back(browser: Browser, tmp_path: Path) -> None:
    lab = Lab(looks=FINISHED)
    async with (
        studio(tmp_path, lab, credits={"enabled": True}, media={"max_file": 1024}) as gateway,
        person(gateway, credits=7) as ann,
        visiting(browser, gateway) as root,
    ):
        task = await ann.make("larger than anybody may have")
        await ann.comes_to(task["videoId"], "failed")
        await root.sign_in()
        await root.arrive("#/admin/unknown")
        page = root.page
        await page.get_by_role("checkbox", name="of ann@example.org").check()
        await page.get_by_role("button", name="Give back").click()
        await confirm(root, "Give back")
        await expect(page.get_by_text("No credits are disputed")).to_be_visible()
        assert (await ann.get("/api/credits")).json()["available"] == 7


async def test_an_invitation_is_accepted_in_another_browser(browser: Browser, tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        visiting(browser, gateway) as root,
        visiting(browser, gateway) as bob,
    ):
        await root.sign_in()
        await root.arrive("#/admin/invitations")
        await root.page.get_by_role("button", name="Invite").click()
        sheet = root.page.get_by_role("dialog")
        await sheet.get_by_label("E-mail addresses").fill("bob@example.org")
        await sheet.get_by_role("button", name="Make the links").click()
        link = await root.page.get_by_role("textbox", name="Links made: 1.").input_value()

        await bob.page.goto(link)
        await expect(bob.page.get_by_role("heading", name="You are invited")).to_be_visible()
        await bob.page.get_by_label("E-mail").fill("bob@example.org")
        await bob.page.get_by_label("Password", exact=True).fill("correct horse")
        await bob.page.get_by_role("button", name="Make the account").click()
        await is_live(bob)
        await expect(bob.page.get_by_text("Your account is made, and you are signed in.")).to_be_visible()
        await order(bob, "my first video")
        bob.forgive("status of 401")  # Who is there? Nobody yet.


async def test_a_person_gets_a_plan_and_credits_and_is_disabled(browser: Browser, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, credits={"enabled": True}, pricing={"per_video": 7})
    async with (
        running(settings) as gateway,
        person(gateway),
        visiting(browser, gateway) as root,
        visiting(browser, gateway) as ann,
    ):
        await ann.sign_in("ann@example.org")
        await ann.page.get_by_role("textbox", name="Prompt").fill("a lighthouse in fog")
        await expect(ann.page.get_by_text("It costs 7 credits and you have 0: 7 too few.")).to_be_visible()

        await root.sign_in()
        await root.arrive("#/admin/plans")
        page, sheet = root.page, root.page.get_by_role("dialog")
        await page.get_by_role("button", name="Make a plan").click()
        await sheet.get_by_label("Name").fill("studio")
        await sheet.get_by_label("Videos at once").fill("5")
        await sheet.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", name="studio")).to_be_visible()

        await root.arrive("#/admin/people")
        await page.get_by_role("link", name="ann@example.org").click()
        await page.get_by_role("button", name="Change the plan").click()
        await sheet.get_by_role("combobox", name="Plan").select_option("studio")
        await sheet.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("main").get_by_text("studio")).to_be_visible()
        await page.get_by_role("button", name="Give or take credits").click()
        await sheet.get_by_label("How many").fill("20")
        await sheet.get_by_label("Note").fill("welcome")
        await sheet.get_by_role("button", name="Book it").click()
        await expect(sheet.get_by_text("now 20.")).to_be_visible()
        await sheet.get_by_role("button", name="Close").click()

        await ann.arrive("#/account/credits")
        await expect(ann.page.get_by_role("heading", name="Your plan: studio")).to_be_visible()
        await expect(ann.page.get_by_text("5 videos are made at once")).to_be_visible()

        await page.get_by_role("button", name="Disable").click()
        await confirm(root, "Disable")
        await expect(ann.page.get_by_text("Your session has ended.")).to_be_visible()
        await expect(page.get_by_text("disabled since")).to_be_visible()
        ann.forgive("status of 401")

        await root.arrive("#/admin/audit")
        for done in ("Disabled a person", "Put somebody on a plan", "Gave credits", "Made or changed a plan"):
            await expect(page.get_by_role("table").get_by_text(done)).to_be_visible()


async def test_a_setting_holds_at_once_and_is_in_the_audit_log(browser: Browser, tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway) as ann,
        visiting(browser, gateway) as root,
    ):
        await root.sign_in()
        await root.arrive("#/admin/settings")
        page = root.page
        longest = page.get_by_label("Longest prompt")
        await longest.fill("10")
        await longest.press("Enter")
        await expect(page.get_by_text("Saved. It holds from now on.").first).to_be_visible()
        refused = await ann.http.post("/api/video/tasks", json={"prompt": "more than ten letters"})
        assert refused.status_code == 400
        await root.arrive("#/admin/audit")
        await expect(page.get_by_role("table").get_by_text("Changed a setting")).to_be_visible()
