"""Saved templates over a real port: whose they are, what they may say, and videos that are made with them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab import PRICE, Lab, at_the_lab
from tests.people import actions
from tests.running import Json, Person, person

TEMPLATES = "/api/templates"
PETS = {"name": "Pets", "prompt": "a {animal} in {place}, {{not a gap}}"}


async def saved(who: Person, **changes: Any) -> Json:
    answer = await who.http.post(TEMPLATES, json=PETS | changes)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def told(answer: httpx.Response) -> tuple[int, str | None, str]:
    error = answer.json()["error"]
    return answer.status_code, error["param"], error["message"]


async def test_a_template_is_saved_listed_changed_and_deleted(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        first = await saved(ann, model="sora-2", size="1280x720", seconds=8)
        assert first["gaps"] == ["animal", "place"]
        assert (first["visibility"], first["mine"], first["owner"]["email"]) == (
            "private", True, "ann@example.org"
        )  # fmt: skip
        other = await saved(ann, name="Animals", prompt="no gap at all")
        listed = (await ann.get(TEMPLATES)).json()["templates"]
        assert [each["name"] for each in listed] == ["Animals", "Pets"]
        path = f"{TEMPLATES}/{first['id']}"
        changed = (await ann.http.put(path, json=PETS | {"prompt": "a {thing}"})).json()
        assert (changed["gaps"], changed["model"], changed["createdAt"]) == (
            ["thing"], None, first["createdAt"]
        )  # fmt: skip
        assert (await ann.get(path)).json() == changed
        assert (await ann.http.delete(path)).status_code == 204
        assert (await ann.get(path)).status_code == 404
        assert (await ann.get(TEMPLATES)).json()["templates"] == [other]


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a gap that does not end": (
        {"prompt": "a {animal"}, "prompt", "The { at character 3 belongs to no gap; write {{ for a brace."
    ),
    "nothing": ({"prompt": " "}, "prompt", "The prompt is empty; say what the video should show."),
    "too long a prompt": (
        {"prompt": "x" * 40_000}, "prompt", "The prompt has 40000 characters; at most 32000 are taken."
    ),
    "no name": ({"name": "  "}, "name", "The field 'name' must have at least 1 characters."),
    "a name that turns the writing": (
        {"name": "a\u202eb"}, "name", "The field 'name' is not valid: a name has no control characters."
    ),
    "no size": (
        {"size": "big"}, "size", "The field 'size' is not valid: string should match pattern '^[1-9][0-9]{1,4}x[1-9][0-9]{1,4}$'."
    ),
    "no seconds": ({"seconds": 0}, "seconds", "The field 'seconds' must be at least 1."),
}  # fmt: skip


async def test_what_cannot_be_a_template_is_refused_by_name(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        for case, (changes, param, sentence) in WRONG.items():
            assert told(await ann.http.post(TEMPLATES, json=PETS | changes)) == (400, param, sentence), case
        assert (await ann.get(TEMPLATES)).json()["templates"] == []


async def test_a_person_keeps_as_many_as_the_limit_says(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), limits={"templates": 2}) as ann:
        first = await saved(ann)
        await saved(ann)
        answer = await ann.http.post(TEMPLATES, json=PETS)
        assert told(answer) == (409, None, "There are 2 templates already; delete one first.")
        # Changing one of them is not another one.
        assert (await ann.http.put(f"{TEMPLATES}/{first['id']}", json=PETS)).status_code == 200


async def test_what_is_deleted_while_it_is_changed_stays_deleted(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        wish = {"name": "Pets", "prompt": "a {animal}"}
        template = (await ann.http.post("/api/templates", json=wish)).json()["id"]
        changes = [ann.http.put(f"/api/templates/{template}", json=wish) for _ in range(10)]
        deletion = ann.http.delete(f"/api/templates/{template}")
        answers = await asyncio.gather(*changes[:5], deletion, *changes[5:])
        assert {answer.status_code for answer in answers} <= {200, 204, 404}
        assert (await ann.get("/api/templates")).json()["templates"] == []


async def test_a_templates_use_is_the_teams_and_its_change_its_owners(tmp_path: Path) -> None:
    async with (
        at_the_lab(tmp_path, Lab()) as ann,
        person(ann.gateway, "bob", credits=PRICE) as bob,
        person(ann.gateway, "root", "admin") as root,
    ):
        template = await saved(ann)
        path = f"{TEMPLATES}/{template['id']}"
        use = {"template": {"id": template["id"], "values": {"animal": "cat", "place": "rain"}}}
        assert (await bob.get(path)).status_code == 404
        answer = await bob.http.post("/api/video/tasks", json=use)
        assert told(answer) == (400, "template.id", "There is no such template.")
        await ann.http.put(path, json=PETS | {"visibility": "team"})
        assert not (await bob.get(path)).json()["mine"]
        task = (await bob.http.post("/api/video/tasks", json=use)).json()
        assert (task["prompt"], task["visibility"]) == ("a cat in rain, {not a gap}", "private")
        assert (await bob.http.put(path, json=PETS)).status_code == 403
        assert (await bob.http.delete(path)).status_code == 403
        assert (await root.http.delete(path)).status_code == 204
        assert await actions(ann.gateway, template["id"]) == ["template.delete"]


async def test_a_video_is_made_with_a_template_and_says_what_it_wants_else(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, lab := Lab(), upstream={"max_concurrent": 0}) as ann:
        template = await saved(ann, size="1280x720", seconds=8)
        values = {"animal": "{dog}", "place": "a \u2028line"}
        use = {"template": {"id": template["id"], "values": values}}
        task = (await ann.http.post("/api/video/tasks", json=use)).json()
        assert (task["prompt"], task["size"], task["seconds"], task["model"]) == (
            "a {dog} in a \u2028line, {not a gap}", "1280x720", 8, "sora-2"
        )  # fmt: skip
        other = (await ann.http.post("/api/video/tasks", json=use | {"seconds": 4})).json()
        assert (other["size"], other["seconds"]) == ("1280x720", 4)
        # What was made stays when the template goes.
        await ann.http.delete(f"{TEMPLATES}/{template['id']}")
        await ann.comes_to(task["videoId"], "processing")
        assert b"{dog}" in lab.orders[0].body


MISUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "neither prompt nor template": ({}, "prompt", "The field 'prompt' is missing."),
    "both": ({"prompt": "a", "template": {"id": "ID"}}, "template", "Give a prompt or a template, one of them."),
    "a value too few": (
        {"template": {"id": "ID", "values": {"animal": "cat"}}}, "template.values",
        "The template needs a value for {place}.",
    ),
    "a value too many": (
        {"template": {"id": "ID", "values": {"animal": "cat", "place": "rain", "time": "noon"}}}, "template.values",
        "The template has no gap {time}; it has {animal}, {place}.",
    ),
    "a value that is no text": (
        {"template": {"id": "ID", "values": {"animal": 1}}}, "template.values.animal",
        "The field 'template.values.animal' must be text.",
    ),
    "a value that is too long": (
        {"template": {"id": "ID", "values": {"animal": "x" * 2001}}}, "template.values.animal",
        "The field 'template.values.animal' must have at most 2000 characters.",
    ),
    "a value with NUL": (
        {"template": {"id": "ID", "values": {"animal": "a\0b", "place": ""}}}, "prompt",
        "The prompt has a NUL character, which cannot be sent.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("limit", [0, 32_000])
async def test_what_cannot_be_filled_is_one_sentence(limit: int, tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), jobs={"max_prompt": limit}) as ann:
        template = await saved(ann)
        for case, (body, param, sentence) in MISUSED.items():
            if "template" in body:
                body["template"] = body["template"] | {"id": template["id"]}
            answer = await ann.http.post("/api/video/tasks", json=body)
            assert told(answer) == (400, param, sentence), case
        assert (await ann.get("/api/video/tasks")).json()["tasks"] == []


async def test_the_filled_prompt_is_held_to_the_limit_of_all_prompts(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), jobs={"max_prompt": 100}) as ann:
        template = await saved(ann, prompt="{a}{a}")
        use = {"template": {"id": template["id"], "values": {"a": "x" * 51}}}
        assert told(await ann.http.post("/api/video/tasks", json=use)) == (
            400, "prompt", "The prompt has 102 characters; at most 100 are taken."
        )  # fmt: skip
