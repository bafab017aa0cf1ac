"""Runs the checks. Arguments are words: only checks with one of them in their sentence are tried."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from tests.clients.live_python.talking import LIBRARIES, Message, Place, messages_of, updates_until_final
from tests.clients.python.checking import Checks, same

checks = Checks()
with_each = checks.each(*LIBRARIES)

REVOKED = 4403
RESTARTING = 1012


@with_each
def a_video_is_followed_by_its_id_to_its_end(place: Place, library: str) -> None:
    video = place.make("followed")
    talk, _ = place.talk(library)
    talk.say(type="subscribe", videoId=video)
    answer = talk.next()
    same((answer["type"], answer["topic"]), ("subscribed", f"video:{video}"))
    same([task["videoId"] for task in answer["tasks"]], [video])
    seen = updates_until_final(talk, {video})
    same((seen[-1]["status"], seen[-1]["progress"]), ("completed", 100.0))
    numbers = [update["seq"] for update in seen]
    same(numbers, sorted(set(numbers)))
    content = place.http.get(seen[-1]["assets"]["videoUrl"]).content
    same(content[4:8], b"ftyp")


@with_each
def a_video_is_followed_by_its_external_id(place: Place, library: str) -> None:
    video = place.make("followed elsewhere")
    first, _ = place.talk(library)
    first.say(type="subscribe", videoId=video)
    while (external := _external(first.next())) is None:
        pass
    talk, _ = place.talk(library)
    talk.say(type="subscribe", externalVideoId=external, pending=True)
    answer = talk.next()
    same((answer["type"], answer["topic"]), ("subscribed", f"external:{external}"))
    same([task["videoId"] for task in answer["tasks"]], [video])
    same(updates_until_final(talk, {video})[-1]["externalVideoId"], external)


@with_each
def what_does_not_exist_is_an_error_and_can_be_awaited(place: Place, library: str) -> None:
    talk, _ = place.talk(library)
    talk.say(type="subscribe", externalVideoId="nobody-has-it")
    error = talk.next()
    same((error["type"], error["code"]), ("error", "not_found"))
    talk.say(type="subscribe", externalVideoId="nobody-has-it", pending=True)
    answer = talk.next()
    same((answer["type"], answer["tasks"]), ("subscribed", []))


@with_each
def everything_is_followed_at_once(place: Place, library: str) -> None:
    talk, _ = place.talk(library)
    talk.say(type="subscribe", all=True)
    same(talk.next()["type"], "subscribed")
    videos = {place.make("one of two"), place.make("the other")}
    updates_until_final(talk, videos)


@with_each
def after_a_cut_exactly_what_was_missed_is_told(place: Place, library: str) -> None:
    talk, ready = place.talk(library)
    talk.say(type="subscribe", all=True)
    talk.next()
    video = place.make("cut")
    seen = talk.next()
    while _external(seen) is None:
        seen = talk.next()
    talk.cut()
    place.ended(video)
    missed = _since(place, library, seen["cursor"], video)
    everything = _since(place, library, ready["cursor"], video)
    same(missed, [update for update in everything if update["seq"] > seen["seq"]])
    assert missed, "the video had ended before the cut"


@with_each
def a_key_that_is_revoked_ends_its_socket(place: Place, library: str) -> None:
    key_id, key = place.new_key()
    talk, _ = place.talk(library, key)
    talk.say(type="subscribe", all=True)
    talk.next()
    place.revoke(key_id)
    same(talk.close_code(), REVOKED)


@checks
def an_event_stream_ends_with_its_video_and_then_there_is_nothing_more(place: Place) -> None:
    path = f"/api/video/tasks/{place.make('streamed')}/stream"
    with place.stream(path) as source:
        events = list(messages_of(source))
    same((events[0].event, {event.event for event in events[1:]}), ("subscribed", {"update"}))
    same(events[-1].json()["status"], "completed")
    with place.stream(path, after=events[-1].id) as source:
        same(source.response.status_code, 204)


@checks
def an_event_stream_resumes_after_the_last_id(place: Place) -> None:
    with place.stream("/api/events/stream") as source:
        arriving = messages_of(source)
        start = next(arriving).id
        video = place.make("streamed and cut")
        last = next(event for event in arriving if _external(event.json()) is not None)
    place.ended(video)

    def replayed(after: str) -> list[Message]:
        found: list[Message] = []
        with place.stream("/api/events/stream", after=after) as source:
            for event in messages_of(source):
                if event.event == "update":
                    found.append(event.json())
                    if found[-1]["status"] == "completed":
                        break
        return _told(found)

    missed, number = replayed(last.id), last.json()["seq"]
    same(missed, [update for update in replayed(start) if update["seq"] > number])
    assert missed, "the video had ended before the cut"


@checks
def a_key_that_is_revoked_ends_its_event_stream(place: Place) -> None:
    key_id, key = place.new_key()
    with place.stream("/api/events/stream", key=key) as source:
        arriving = messages_of(source)
        same(next(arriving).event, "subscribed")
        place.revoke(key_id)
        same(list(arriving), [])
    with place.stream("/api/events/stream", key=key) as source:
        same(source.response.status_code, 401)


@checks
def a_restart_is_told_to_everybody(place: Place) -> None:
    """The last one: the gateway is stopped once every client has said that it waits for it."""
    ends: dict[str, object] = {}

    def note(name: str, end: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=lambda: ends.update({name: end()}), daemon=True)
        thread.start()
        return thread

    talks = {library: place.talk(library)[0] for library in LIBRARIES}
    with place.stream("/api/events/stream") as source:
        arriving = messages_of(source)
        same(next(arriving).event, "subscribed")
        waiting = [note(library, talk.close_code) for library, talk in talks.items()]
        waiting.append(note("httpx-sse", lambda: list(arriving)))
        print("WAITING", flush=True)
        for thread in waiting:
            thread.join(20)
    same(ends, dict.fromkeys(LIBRARIES, RESTARTING) | {"httpx-sse": []})


def _external(message: Message) -> str | None:
    """The upstream's id of the video of an update, once it has one."""
    found = message.get("externalVideoId")
    return None if found is None else str(found)


def _since(place: Place, library: str, cursor: str, video: str) -> list[Message]:
    """What is told to who comes back with *cursor*."""
    talk, _ = place.talk(library)
    talk.say(type="subscribe", all=True, since=cursor)
    answer = talk.next()
    same((answer["type"], answer["cursor"]), ("subscribed", cursor))
    return _told(updates_until_final(talk, {video}))


def _told(updates: list[Message]) -> list[Message]:
    """Without the addresses of files, which are signed anew for each reader."""
    return [{name: value for name, value in update.items() if name != "assets"} for update in updates]


if __name__ == "__main__":
    sys.exit(checks.run(Place(), sys.argv[1:]))
