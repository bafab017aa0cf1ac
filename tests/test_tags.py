"""Tags over a real port, and the lists that they, texts, statuses and moments narrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sora_gateway.core.tags import MAX_TAG, MAX_TAGS, normalised
from sora_gateway.core.views import iso
from tests.examples import examples
from tests.jobs import NOW, accepted, to_processing, walk
from tests.lab import Lab, at_the_lab, opportunity
from tests.people import actions
from tests.running import Person, person

TASKS = "/api/video/tasks"


async def listed(who: Person, *query: tuple[str, str]) -> list[str]:
    """The prompts that a list has."""
    answer = await who.get(f"{TASKS}?{urlencode(query)}")
    assert answer.status_code == 200, answer.text
    return [task["prompt"] for task in answer.json()["tasks"]]


# --- what a tag is -----------------------------------------------------------------------------------


def test_tags_are_composed_trimmed_and_each_once_in_their_order() -> None:
    assert normalised([" trip ", "Boat", "boat", "trip", "cafe\u0301"]) == [
        "trip",
        "Boat",
        "boat",
        "caf\u00e9",
    ]


@settings(max_examples=examples(200))
@given(st.lists(st.text(max_size=60), max_size=25))
def test_what_is_kept_is_found_again_by_the_same_words(tags: list[str]) -> None:
    try:
        kept = normalised(tags)
    except ValueError:
        return
    assert normalised(kept) == kept
    assert len(kept) <= MAX_TAGS
    assert all(1 <= len(tag) <= MAX_TAG for tag in kept)


@pytest.mark.parametrize(
    ("tags", "sentence"),
    [
        ([" "], "A tag has at least one character."),
        (["x" * 51], "A tag has at most 50 characters."),
        (["a\nb"], "A tag has no control characters."),
        (["a\u202eb"], "A tag has no control characters."),
        ([str(n) for n in range(21)], "A video has at most 20 tags."),
    ],
)
def test_what_is_no_tag_is_told_in_one_sentence(tags: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        normalised(tags)


# --- tagging -----------------------------------------------------------------------------------------


async def test_a_video_has_the_tags_that_it_was_given_in_their_order(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        task = await ann.make(tags=["zebra", " apple ", "zebra"])
        assert task["tags"] == ["zebra", "apple"]
        path = f"{TASKS}/{task['videoId']}/tags"
        assert (await ann.http.put(path, json={"tags": ["melon", "apple"]})).json()["tags"] == [
            "melon", "apple"
        ]  # fmt: skip
        assert (await ann.task(task["videoId"]))["tags"] == ["melon", "apple"]
        await ann.make(tags=["apple"])
        assert (await ann.get("/api/video/tags")).json()["tags"] == [
            {"tag": "apple", "videos": 2}, {"tag": "melon", "videos": 1}
        ]  # fmt: skip
        assert (await ann.http.put(path, json={"tags": []})).json()["tags"] == []
        answer = await ann.http.put(path, json={"tags": ["good", "a\tb"]})
        assert answer.json()["error"]["message"] == (
            "The field 'tags' is not valid: a tag has no control characters."
        )
        assert (await ann.task(task["videoId"]))["tags"] == []


async def test_a_form_has_tags_too(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        fields = {"prompt": "a boat", "tags[]": ["one", "two"]}
        task = (await ann.http.post(TASKS, data=fields)).json()
        assert task["tags"] == ["one", "two"]


async def test_only_its_owner_and_administrators_tag_a_video(tmp_path: Path) -> None:
    async with (
        at_the_lab(tmp_path, Lab()) as ann,
        person(ann.gateway, "bob") as bob,
        person(ann.gateway, "root", "admin") as root,
    ):
        task = await ann.make(visibility="team", tags=["hers"])
        path = f"{TASKS}/{task['videoId']}/tags"
        assert (await bob.http.put(path, json={"tags": ["his"]})).status_code == 403
        assert (await bob.task(task["videoId"]))["tags"] == ["hers"]
        assert (await bob.get("/api/video/tags")).json()["tags"] == []
        assert (await root.http.put(path, json={"tags": ["theirs"]})).status_code == 200
        assert await actions(ann.gateway, task["videoId"]) == ["job.tag"]
        await ann.http.post(f"{TASKS}/{task['videoId']}/visibility", json={"visibility": "private"})
        assert (await bob.http.put(path, json={"tags": ["his"]})).status_code == 404


async def test_a_retry_keeps_its_owners_tags_and_a_remix_begins_without(tmp_path: Path) -> None:
    lab = Lab(looks={"status": "failed"})
    async with (
        at_the_lab(tmp_path, lab, upstream={"max_concurrent": 0, "profile": "openai"}) as ann,
        person(ann.gateway, "bob", credits=100) as bob,
    ):
        task = await ann.make(tags=["trip"], visibility="team")
        await ann.comes_to(task["videoId"], "failed")
        again = (await ann.http.post(f"{TASKS}/{task['videoId']}/retry")).json()
        assert again["tags"] == ["trip"]
        his = (await bob.http.post(f"{TASKS}/{task['videoId']}/retry")).json()
        assert his["tags"] == []
        await opportunity()


# --- lists -------------------------------------------------------------------------------------------


async def test_a_list_has_what_fits_everything_that_is_asked_for(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab(), upstream={"max_concurrent": 1}) as ann:
        await ann.make("A red boat", tags=["Trip", "boats"])
        await ann.make("a BLUE boat, 100% _new_", tags=["boats"])
        await ann.make("a plane", tags=["trip"])
        red, blue, plane = "A red boat", "a BLUE boat, 100% _new_", "a plane"
        cases: dict[tuple[tuple[str, str], ...], list[str]] = {
            (("tag", "boats"),): [blue, red],
            (("tag", "boats"), ("tag", "Trip")): [red],
            (("tag", "trip"),): [plane],
            (("tag", " boats "),): [blue, red],
            (("q", "BOAT"),): [blue, red],
            (("q", "100% _new"),): [blue],
            (("q", "b%t"),): [],
            (("q", "boat"), ("tag", "Trip")): [red],
            (("status", "completed"), ("status", "failed")): [],
            (("status", "queued"), ("status", "processing")): [plane, blue, red],
        }
        for query, prompts in cases.items():
            assert await listed(ann, *query) == prompts, query
        long = await ann.get(f"{TASKS}?q={'x' * 201}")
        assert long.json()["error"]["param"] == "q"


async def test_a_list_has_what_was_asked_for_between_two_moments(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        store = ann.gateway.store
        for hour in range(3):
            await accepted(
                store, owner="user_ann", created_at=NOW + 3600 * hour, credits=0, prompt=f"hour {hour}"
            )
        moments: list[Any] = [iso(NOW + 3600 * hour) for hour in range(3)]
        assert await listed(ann, ("since", moments[1])) == ["hour 2", "hour 1"]
        assert await listed(ann, ("until", moments[1])) == ["hour 0"]
        assert await listed(ann, ("since", moments[1]), ("until", moments[2])) == ["hour 1"]
        naive = await ann.get(f"{TASKS}?since=2026-11-22T12:00:00")
        assert (naive.status_code, naive.json()["error"]["param"]) == (400, "since")
        for number in ("0", "0.5", "1900000000"):
            answer = await ann.get(f"{TASKS}?since={number}")
            assert answer.json()["error"]["message"] == (
                "The field 'since' is not valid: write a moment as ISO 8601 with a time zone, such as "
                "2026-11-22T16:00:00Z."
            )


async def test_pages_of_a_narrowed_list_lose_nobody(tmp_path: Path) -> None:
    async with at_the_lab(tmp_path, Lab()) as ann:
        store = ann.gateway.store
        wanted = []
        for number in range(9):
            job = await accepted(store, owner="user_ann", created_at=NOW + number // 4, credits=0)
            if number % 2:
                await store.tag(job.id, ["odd"])
                await walk(store, job, *to_processing(f"ext-{number}"))
                wanted.append(job.id)
        seen, after, more = [], "", True
        while more:
            page = (await ann.get(f"{TASKS}?tag=odd&status=processing&limit=2{after}")).json()
            seen += [task["videoId"] for task in page["tasks"]]
            after, more = f"&after={seen[-1]}", page["hasMore"]
        assert sorted(seen) == sorted(wanted)
        assert len(seen) == len(set(seen))
