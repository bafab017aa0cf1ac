"""Everything that can be asked for, and everything that can come of it."""

from __future__ import annotations

import base64
import io
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, expect

from tests.e2e.acts import FINISHED, card, confirm, order, studio, unfold
from tests.e2e.browser import Visitor, visiting
from tests.lab import PRICE, Lab, says
from tests.raw_server import Received
from tests.running import person

REJECTED = "Your request was rejected as a result of our safety system."


async def test_a_video_is_cancelled(browser: Browser, tmp_path: Path) -> None:
    async with (
        studio(tmp_path, Lab(), upstream={"max_concurrent": 1}) as gateway,
        visiting(browser, gateway) as ann,
    ):
        await ann.sign_in()
        sent = await order(ann, "a lighthouse in fog")
        await expect(sent).to_have_attribute("data-stage", "processing")
        waiting = await order(ann, "a train at dawn")
        await expect(waiting.get_by_text("Next in the queue")).to_be_visible()
        # Nothing was paid for yet, so nothing is asked.
        await waiting.get_by_role("button", name="Cancel").click()
        await expect(waiting).to_have_attribute("data-status", "cancelled")
        await sent.get_by_role("button", name="Cancel").click()
        await confirm(ann, "Cancel the video")
        await expect(sent).to_have_attribute("data-status", "cancelled")


async def test_a_list_of_twenty_prompts_is_one_batch_of_twenty_videos(
    browser: Browser, tmp_path: Path
) -> None:
    lab = Lab()
    async with studio(tmp_path, lab) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        await unfold(ann)
        await ann.page.get_by_role("checkbox", name="A list").check()
        lines = "\n".join(f"street number {number}" for number in range(1, 21))
        await ann.page.get_by_role("textbox", name="Prompts, one per line").fill(lines)
        await ann.page.get_by_role("button", name="Make 20 videos").click()
        batch = ann.page.get_by_role("region", name="Batch of 20")
        await expect(batch.get_by_text("20 being made")).to_be_visible()
        await batch.get_by_role("button", name="Show the videos").click()
        await expect(batch.get_by_role("article")).to_have_count(20)
        lab.looks = FINISHED
        await ann.arrive("#/gallery")
        await expect(ann.page.locator(".tile[data-status=completed]")).to_have_count(20)
        assert len(lab.orders) == 20


async def test_an_image_is_sent_cropped_to_exactly_the_size_of_the_video(
    browser: Browser, tmp_path: Path
) -> None:
    lab = Lab()
    async with studio(tmp_path, lab) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        await ann.arrive("#/")
        await ann.page.get_by_role("textbox", name="Prompt").fill("it starts to snow")
        await drop(ann, picture(1000, 600))
        preview = ann.page.get_by_role("img", name="harbour.png as it is sent")
        await expect(preview).to_have_attribute("width", "720")
        await expect(preview).to_have_attribute("height", "1280")
        await expect(ann.page.get_by_text("1000 × 600 → 720 × 1280")).to_be_visible()
        await ann.page.get_by_role("button", name="Make the video").click()
        await expect(card(ann, "it starts to snow")).to_have_attribute("data-stage", "processing")
        assert sent_image(lab.orders[0]).size == (720, 1280)


def picture(width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height), "steelblue").save(target, "PNG")
    return target.getvalue()


async def drop(visitor: Visitor, content: bytes) -> None:
    """Drops a file onto the form, as from the desk of the computer."""
    files = await visitor.page.evaluate_handle(
        """(content) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const files = new DataTransfer();
            files.items.add(new File([bytes], "harbour.png", { type: "image/png" }));
            return files;
        }""",
        base64.b64encode(content).decode(),
    )
    form = visitor.page.get_by_role("form", name="New video")
    await form.dispatch_event("dragover", {"dataTransfer": files})
    await form.dispatch_event("drop", {"dataTransfer": files})


def sent_image(order: Received) -> Image.Image:
    head = f"Content-Type: {order.headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser(policy=HTTP).parsebytes(head + order.body).iter_parts()
    [file] = [part for part in parts if part.get_filename()]
    return Image.open(io.BytesIO(file.get_content()))


async def test_a_prompt_is_kept_as_a_template_whose_gaps_are_filled_in(
    browser: Browser, tmp_path: Path
) -> None:
    async with studio(tmp_path, Lab()) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        await unfold(ann)
        page = ann.page
        prompt = page.get_by_role("textbox", name="Prompt", exact=True).first
        await prompt.fill("{animal} on a bicycle")
        await page.get_by_role("button", name="Save this prompt as a template").click()
        form = page.get_by_role("group", name="Save this prompt as a template")
        await form.get_by_label("Name").fill("Cyclists")
        await form.get_by_role("button", name="Save", exact=True).click()
        await page.get_by_role("combobox", name="Template").select_option("Cyclists")
        await expect(page.get_by_text("Still to fill in: {animal}")).to_be_visible()
        await page.get_by_label("animal", exact=True).fill("A heron")
        await expect(prompt).to_have_value("A heron on a bicycle")
        await page.get_by_role("button", name="Make the video").click()
        await expect(card(ann, "A heron on a bicycle")).to_be_visible()


async def test_a_refused_prompt_is_explained_and_tried_again(browser: Browser, tmp_path: Path) -> None:
    refusal = says(400, {"error": {"code": "moderation_blocked", "message": REJECTED}})
    lab = Lab(creates=[refusal, says(200, {"id": "ext-2", "status": "queued"})])
    async with studio(tmp_path, lab) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        refused = await order(ann, "something forbidden")
        await expect(refused).to_have_attribute("data-status", "failed")
        await refused.get_by_role("link", name="something forbidden").click()
        why = ann.page.get_by_role("region", name="Why there is no video")
        await expect(why.get_by_text(REJECTED)).to_be_visible()
        await expect(why.get_by_text("The upstream's moderation refused it")).to_be_visible()
        await expect(why.get_by_text("Say it in other words")).to_be_visible()
        lab.looks = FINISHED
        await ann.page.get_by_role("button", name="Retry").click()
        await expect(ann.page.locator("article.video")).to_have_attribute("data-status", "completed")
        await expect(ann.page.locator("video")).to_be_visible()
        assert len(lab.orders) == 2


async def test_credits_are_told_before_and_when_they_are_used_up(browser: Browser, tmp_path: Path) -> None:
    async with (
        studio(tmp_path, Lab(), credits={"enabled": True}) as gateway,
        person(gateway, "ann", credits=PRICE + 3),
        person(gateway, "root", "admin") as root,
        visiting(browser, gateway) as ann,
    ):
        await ann.sign_in("ann@example.org")
        prompt = ann.page.get_by_role("textbox", name="Prompt")
        button = ann.page.get_by_role("button", name="Make the video")
        await prompt.fill("a lighthouse in fog")
        await expect(ann.page.get_by_text("Credits: 7 · 3 left afterwards")).to_be_visible()
        await button.click()
        await expect(card(ann, "a lighthouse in fog")).to_be_visible()
        await prompt.fill("one too many")
        await expect(ann.page.get_by_text("It costs 7 credits and you have 3: 4 too few.")).to_be_visible()
        await expect(button).to_have_attribute("aria-disabled", "true")
        grant = {"email": "ann@example.org", "amount": 20, "note": "welcome"}
        assert (await root.http.post("/api/admin/credits/grant", json=grant)).is_success
        await ann.arrive("#/account/credits")
        await expect(ann.page.get_by_text("welcome")).to_be_visible()
        await expect(ann.page.get_by_role("main")).to_contain_text("23")
        await ann.arrive("#/")
        await expect(ann.page.get_by_text("Credits: 7 · 16 left afterwards")).to_be_visible()


async def test_what_is_typed_survives_a_reload(browser: Browser, tmp_path: Path) -> None:
    async with studio(tmp_path, Lab()) as gateway, visiting(browser, gateway) as ann:
        await ann.sign_in()
        await ann.arrive("#/")
        await ann.page.get_by_role("textbox", name="Prompt").fill("half a thought")
        await ann.page.get_by_role("combobox", name="Length").select_option("12")
        await ann.page.reload()
        await expect(ann.page.get_by_role("textbox", name="Prompt")).to_have_value("half a thought")
        await expect(ann.page.get_by_role("combobox", name="Length")).to_have_value("12")
