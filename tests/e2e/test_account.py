"""What people look after themselves: keys, sessions, password, webhooks, credits."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.e2e.acts import confirm, is_live
from tests.e2e.browser import visiting
from tests.receivers import receiving, signed_by
from tests.running import person, running, settings_for
from tests.team import client


async def test_a_key_is_shown_once_and_works(browser: Browser, tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        await ann.arrive("#/account/keys")
        page = ann.page
        await page.get_by_label("New key").fill("nightly renders")
        await page.get_by_role("button", name="Create").click()
        await expect(page.get_by_text("Copy the key now")).to_be_visible()
        key = await page.get_by_role("button", name="Copy the key").get_by_role("code").inner_text()
        async with client(gateway, key) as program:
            assert (await program.get("/api/video/tasks")).status_code == 200
        await page.reload()
        await expect(page.get_by_text("nightly renders")).to_be_visible()
        await expect(page.get_by_text(key)).to_have_count(0)
        await page.get_by_role("button", name="Revoke nightly renders").click()
        await page.get_by_role("button", name="Revoke for good").click()
        await expect(page.get_by_text("There are no keys yet.")).to_be_visible()
        async with client(gateway, key) as program:
            assert (await program.get("/api/video/tasks")).status_code == 401


async def test_another_session_is_ended_and_the_password_changed(browser: Browser, tmp_path: Path) -> None:
    async with (
        running(settings_for(tmp_path)) as gateway,
        person(gateway),
        visiting(browser, gateway) as ann,
        visiting(browser, gateway, device="phone") as lost,
    ):
        page = ann.page
        await lost.sign_in("ann@example.org")
        await ann.sign_in("ann@example.org")
        await ann.arrive("#/account/sessions")
        await page.get_by_role("button", name="End the session of").click()
        await expect(lost.page.get_by_text("Your session has ended.")).to_be_visible()
        lost.forgive("status of 401")

        await ann.arrive("#/account/signin")
        await page.get_by_label("New password").fill("correct horse")
        await page.get_by_role("button", name="Save the password").click()
        await expect(page.get_by_text("The password is set.").first).to_be_visible()
        await is_live(ann)
        await page.get_by_role("button", name="Menu").click()
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_label("E-mail").fill("ann@example.org")
        await page.get_by_label("Password", exact=True).fill("wrong horse")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("The address or the password is not right.")).to_be_visible()
        await page.get_by_label("Password", exact=True).fill("correct horse")
        await page.get_by_role("button", name="Sign in").click()
        await is_live(ann)
        ann.forgive("status of 401")


async def test_a_webhook_is_created_and_tried(browser: Browser, tmp_path: Path) -> None:
    async with receiving(204) as receiver:
        settings = settings_for(tmp_path, webhooks={"hosts": [receiver.host]})
        async with running(settings) as gateway, visiting(browser, gateway) as ann:
            await ann.sign_in()
            await ann.arrive("#/account/webhooks")
            page = ann.page
            await page.get_by_label("Address").fill(receiver.url)
            await page.get_by_role("button", name="Create the webhook").click()
            await expect(page.get_by_text("The webhook is ready.")).to_be_visible()
            secret = await page.get_by_role("button", name="Copy the secret").get_by_role("code").inner_text()
            await page.get_by_role("button", name="Send a test").click()
            await expect(page.get_by_text("It arrived: HTTP 204")).to_be_visible()
            [told] = await receiver.gets(1)
            assert signed_by(told, secret, float(told.headers["webhook-timestamp"]))
            await page.get_by_role("button", name="Delete this webhook").click()
            await confirm(ann, "Delete")
            await expect(page.get_by_text("There are no webhooks yet")).to_be_visible()


async def test_the_ledger_and_the_chart_tell_what_videos_cost(browser: Browser, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, credits={"enabled": True}, pricing={"per_video": 7})
    async with (
        running(settings) as gateway,
        person(gateway, credits=100) as program,
        visiting(browser, gateway) as ann,
    ):
        made = await program.make()
        await program.comes_to(made["videoId"], "completed")
        await ann.sign_in("ann@example.org")
        await ann.arrive("#/account/credits")
        page = ann.page
        ledger = page.get_by_role("region", name="Every movement")
        await expect(ledger.get_by_role("row").filter(has_text="sora-2")).to_have_count(2)
        await expect(page.get_by_text("93").first).to_be_visible()
        chart = page.get_by_role("figure").filter(has_text="By day and model")
        await expect(chart.locator("canvas")).to_be_visible()
        await chart.get_by_role("button", name="Show as table").click()
        await expect(chart.get_by_role("table")).to_contain_text("7")
