"""Handshakes and frames that no client library would send, over real sockets to a whole gateway.

Each has its one right answer; after each the next connection is served, nothing was logged as an error, and no
task and no socket is left.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sora_gateway.accounts.authenticator import Authenticator
from sora_gateway.core.principal import Principal
from tests.live import until
from tests.raw_websocket import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    PING,
    PONG,
    TEXT,
    RawSocket,
    close,
    frame,
    handshake,
    raw_socket,
    text,
    word,
)
from tests.running import person, running, settings_for

ASK = b'{"type":"ping"}'
LIMIT = 65536
FULL = ASK + b" " * (LIMIT - len(ASK))
"""The longest message that is taken."""
LAST = text(b'{"type":"unsubscribe","videoId":"last"}')
"""Its answer comes after everything else that is answered."""
SPLIT = '{"type":"unsubscribe","videoId":"é"}'.encode().partition(b"\xa9")
"""A message and the byte in it that is the second half of a character."""

# --- what is answered to which handshake -----------------------------------------------------------------

VERSION, CONNECTION, UPGRADE, KEY_NAME = "Sec-WebSocket-Version", "Connection", "Upgrade", "Sec-WebSocket-Key"
TAKEN: dict[str, bytes] = {
    "a good one": handshake(),
    "other capitals": handshake("upgrade: WebSocket", "CONNECTION: UPGRADE", without=[UPGRADE, CONNECTION]),
    "a list of connection options": handshake("Connection: keep-alive, Upgrade", without=[CONNECTION]),
    "an empty body": handshake("Content-Length: 0"),
    "ninety headers more": handshake(*[f"X-{n}: y" for n in range(90)]),
    "a header of 8,000 bytes": handshake("X: " + "x" * 8000),
    "a header that is no ASCII": handshake("X: \xff\xfe"),
    "subprotocols are offered": handshake("Sec-WebSocket-Protocol: graphql-ws, chat"),
    "deflate is offered": handshake("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
    "deflate is offered twice": handshake(*["Sec-WebSocket-Extensions: permessage-deflate"] * 2),
    "extensions that nobody knows": handshake("Sec-WebSocket-Extensions: x-webkit-deflate-frame, bbf; a=1"),
    # uvicorn knows the last Connection line only.
    "connection options in two lines": handshake("Connection: keep-alive"),
}
"""Offers are not taken: no subprotocol and no extension is in the answer."""
REFUSED: dict[str, tuple[bytes, int]] = {
    "no version": (handshake(without=[VERSION]), 400),
    "two versions": (handshake("Sec-WebSocket-Version: 8"), 400),
    "no key": (handshake(without=[KEY_NAME]), 400),
    "an empty key": (handshake("Sec-WebSocket-Key:", without=[KEY_NAME]), 400),
    "a short key": (handshake("Sec-WebSocket-Key: c2hvcnQ=", without=[KEY_NAME]), 400),
    "a long key": (handshake(f"Sec-WebSocket-Key: {'QUJD' * 8}", without=[KEY_NAME]), 400),
    "a key that is no base64": (handshake("Sec-WebSocket-Key: !!!!", without=[KEY_NAME]), 400),
    "the key twice": (handshake(f"Sec-WebSocket-Key: {KEY}"), 400),
    "two origins": (handshake("Origin: http://a.test", "Origin: http://b.test"), 400),
    "a subprotocol that is none": (handshake('Sec-WebSocket-Protocol: ,;="x'), 400),
    "no host": (handshake(without=["Host"]), 400),
    "POST": (handshake(start="POST /ws HTTP/1.1"), 405),
    "POST with a length": (handshake("Content-Length: 0", start="POST /ws HTTP/1.1"), 405),
    "HEAD": (handshake(start="HEAD /ws HTTP/1.1"), 405),
    "a head of 33 KB": (handshake("X: " + "x" * 33000), 431),
    "two hundred headers": (handshake(*[f"X-{n}: y" for n in range(200)]), 431),
    # These ask for nothing but a page, and there is none at this address.
    "no upgrade": (handshake(without=[UPGRADE]), 404),
    "another upgrade": (handshake("Upgrade: h2c", without=[UPGRADE]), 404),
    "a list of upgrades": (handshake("Upgrade: websocket, h2c", without=[UPGRADE]), 404),
    "no connection": (handshake(without=[CONNECTION]), 404),
    "another connection": (handshake("Connection: keep-alive", without=[CONNECTION]), 404),
    "another address": (handshake(start="GET /other HTTP/1.1"), 404),
    "the address of something else": (handshake(start="GET /api/video/tasks HTTP/1.1"), 404),
    # websockets has bounds of its own and says nothing beyond them: no answer at all, and a connection for ever.
    "a header of 9,000 bytes": (handshake("X: " + "x" * 9000), 431),
    "a target of 9,000 bytes": (handshake(start="GET /ws?x=" + "x" * 9000 + " HTTP/1.1"), 431),
    "a body": (handshake("Content-Length: 5", body=b"hello"), 400),
    "a body in chunks": (handshake("Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    # RFC 6455 4.4: with the version that is spoken here.
    **{
        f"version {each}": (handshake(f"Sec-WebSocket-Version: {each}", without=[VERSION]), 426)
        for each in ("8", "12", "13, 8")
    },
    # uvicorn writes the request line anew, as HTTP/1.1.
    "HTTP/1.0": (handshake(start="GET /ws HTTP/1.0"), 400),
    "HTTP/2.0": (handshake(start="GET /ws HTTP/2.0"), 400),
}

# --- what is answered to which frames --------------------------------------------------------------------

WRONG: dict[str, bytes] = {
    "no mask": frame(TEXT, ASK, masked=False),
    "no mask on a ping": frame(PING, b"a", masked=False),
    "no mask on a close": frame(CLOSE, b"\x03\xe8", masked=False),
    **{f"reserved bits {bits:03b}": frame(TEXT, ASK, reserved=bits) for bits in range(1, 8)},
    "a reserved bit on a ping": frame(PING, b"a", reserved=4),
    "a reserved bit on a fragment": frame(TEXT, ASK[:5], fin=False)
    + frame(CONTINUATION, ASK[5:], reserved=4),
    **{f"opcode {number}": frame(number, b"x") for number in (*range(3, 8), *range(11, 16))},
    **{f"a fragment of opcode {number}": frame(number, fin=False) for number in (CLOSE, PING, PONG)},
    **{f"126 bytes of opcode {n}": frame(n, b"\x03\xe8" + b"x" * 124) for n in (CLOSE, PING, PONG)},
    "the end of nothing": frame(CONTINUATION, ASK),
    "the middle of nothing": frame(CONTINUATION, ASK, fin=False),
    "a message inside of one": frame(TEXT, ASK[:5], fin=False) + text(ASK),
    "binary inside of a text": frame(TEXT, ASK[:5], fin=False) + frame(BINARY, ASK[5:]),
    "a close inside of a message": frame(TEXT, ASK[:5], fin=False) + close(1000),
    "a length that is too small": frame(TEXT, ASK, length=5),
    "HTTP": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a close of one byte": frame(CLOSE, b"\x03"),
    **{f"a close with {n}": close(n) for n in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)},
}
"""All of them are 1002, whatever comes behind."""
FRAMES: dict[str, tuple[str, list[bytes]]] = {
    "one message": ("pong", [text(ASK)]),
    "two fragments": ("pong", [text(ASK[:5], ASK[5:])]),
    "a fragment for each byte": ("pong", [text(*[ASK[n : n + 1] for n in range(len(ASK))])]),
    "fragments in segments": ("pong", [frame(TEXT, ASK[:5], fin=False), frame(CONTINUATION, ASK[5:])]),
    "empty fragments": ("pong", [text(b"", b"", ASK, b"")]),
    "a ping between fragments": (
        "PONG:a pong",
        [frame(TEXT, ASK[:5], fin=False), frame(PING, b"a"), frame(CONTINUATION, ASK[5:])],
    ),
    "a pong between fragments": (
        "pong", [frame(TEXT, ASK[:5], fin=False), frame(PONG, b"a"), frame(CONTINUATION, ASK[5:])],
    ),
    "a character cut in two": ("unsubscribed:video:é", [text(SPLIT[0], SPLIT[1] + SPLIT[2])]),
    "a message of 64 KiB": ("pong", [text(FULL)]),
    "64 KiB in fragments": ("pong", [text(FULL[:40_000], FULL[40_000:])]),
    "two messages in fragments": ("pong pong", [text(ASK[:5], ASK[5:]) * 2]),
    "bytes one at a time": ("pong PONG:z", [bytes([b]) for b in text(ASK) + frame(PING, b"z")]),
    "25 messages in a segment": (" ".join(["pong"] * 25), [text(ASK) * 25]),
    "a hundred pings in a segment": (" ".join(["PONG:q"] * 100), [frame(PING, b"q") * 100]),
    "an empty ping": ("PONG:", [frame(PING)]),
    "a ping of 125 bytes": ("PONG:" + "x" * 125, [frame(PING, b"x" * 125)]),
    "a pong that nobody asked for": ("", [frame(PONG, b"unasked")]),
    "no UTF-8": ("CLOSE:1007", [text(b"\xff")]),
    "an overlong character": ("CLOSE:1007", [text(b"\xc0\xaf")]),
    "half of a surrogate pair": ("CLOSE:1007", [text(b"\xed\xa0\x80")]),
    "a character beyond the last": ("CLOSE:1007", [text(b"\xf4\x90\x80\x80")]),
    "no UTF-8 in the second fragment": ("CLOSE:1007", [text(ASK, b"\xff")]),
    "a character cut at the end": ("CLOSE:1007", [text(ASK + b"\xe2\x82")]),
    "a character cut at the end of fragments": ("CLOSE:1007", [text(ASK, b"\xe2\x82")]),
    "an empty message": ("CLOSE:1008", [text(b"")]),
    "binary": ("CLOSE:1008", [frame(BINARY, ASK)]),
    "no binary at all": ("CLOSE:1008", [frame(BINARY)]),
    "binary in fragments": ("CLOSE:1008", [frame(BINARY, ASK[:5], fin=False), frame(CONTINUATION, ASK[5:])]),
    "a byte too many": ("CLOSE:1009", [text(FULL + b" ")]),
    "a byte too many, in fragments": ("CLOSE:1009", [text(FULL[:40_000], FULL[40_000:] + b" ")]),
    "fragments without end": ("CLOSE:1009", [frame(TEXT, fin=False), frame(CONTINUATION, b"x" * 999, fin=False) * 66]),
    "a megabyte": ("CLOSE:1009", [text(b"x" * (1 << 20))]),
    "a head that promises a gigabyte": ("CLOSE:1009", [frame(TEXT, length=1 << 30)]),
    "a close without a code": ("CLOSE", [frame(CLOSE)]),
    "a close": ("CLOSE:1000", [close(1000)]),
    "a close with the longest reason": ("CLOSE:1000", [close(1000, b"x" * 123)]),
    **{f"a close with {n}": (f"CLOSE:{n}", [close(n, b"bye")]) for n in (1001, 1003, 1011, 1014, 3000, 4000, 4999)},
    "a reason that is no UTF-8": ("CLOSE:1007", [close(1000, b"\xff")]),
    "a reason cut inside of a character": ("CLOSE:1007", [close(1000, b"\xe2\x82")]),
    "messages behind a close": ("CLOSE:1000", [close(1000) + text(ASK) * 3]),
    "a ping behind a close": ("CLOSE:1000", [close(1000) + frame(PING, b"a")]),
    "two closes": ("CLOSE:1000", [close(1000) + close(1001)]),
    "rubbish behind a close": ("CLOSE:1000", [close(1000) + b"\xff" * 1000]),
    **{case: ("CLOSE:1002", [sent]) for case, sent in WRONG.items()},
    **{f"{case}, and more behind it": ("CLOSE:1002", [WRONG[case] + text(ASK) * 3]) for case in ("no mask", "opcode 3")},
}  # fmt: skip
"""What comes and then the end if that is a CLOSE. One that is ours is answered, as a client has to."""
UNFINISHED: dict[str, bytes] = {
    "the first byte": text(ASK)[:1],
    "a head": text(ASK)[:6],
    "half a frame": text(ASK)[:12],
    "half a ping": frame(PING, b"abcd")[:8],
    "a length that is too large": frame(TEXT, ASK, length=100),
    "half of a message": frame(TEXT, ASK[:5], fin=False),
    "everything but the end of a message": frame(TEXT, FULL, fin=False),
}


@dataclass
class Target:
    """A gateway, and what it stood at before anybody came."""

    port: int
    key: str
    log: pytest.LogCaptureFixture
    before: tuple[int, int]

    async def tried(self, conversation: Awaitable[str]) -> str:
        """What came of it, and whatever was not in order afterwards."""
        self.log.clear()
        came = await outcome(conversation)
        came += "".join(
            f"; logged {each.getMessage()!r}" for each in self.log.records if each.levelno >= logging.ERROR
        )
        if (served := await outcome(self.said_to([text(ASK)]))) != "pong":
            came += f"; then another got {served}"
        try:
            await until(lambda: all(now <= then for now, then in zip(standing(), self.before, strict=True)))
        except TimeoutError:
            came += f"; {standing()} tasks and sockets are left instead of {self.before}"
        return came

    def authorized(self, sent: bytes) -> bytes:
        """That handshake with a key."""
        return sent.replace(b"\r\n\r\n", f"\r\nAuthorization: Bearer {self.key}\r\n\r\n".encode(), 1)

    async def said_to(self, pieces: list[bytes], ends: bool = False) -> str:
        """What a connection is told that is greeted and sends these."""
        async with raw_socket(self.port) as peer:
            await self.greet(peer)
            await peer.send(*pieces)
            return await heard(peer, ends)

    async def greet(self, peer: RawSocket) -> None:
        await peer.send(self.authorized(handshake()))
        status, _ = await peer.head()
        assert (status, await next_word(peer)) == (101, "ready")

    async def answer_to(self, sent: bytes) -> str:
        """The status that a handshake gets; behind 101 the offers that were taken and whether it works."""
        async with raw_socket(self.port) as peer:
            await peer.send(self.authorized(sent))
            status, headers = await peer.head()
            if status != 101:
                if headers.get("connection") == "close":
                    await peer.rest()
                if status == 426:
                    assert headers["sec-websocket-version"] == "13"
                return str(status)
            assert (headers["upgrade"].lower(), headers["connection"].lower()) == ("websocket", "upgrade")
            assert headers["sec-websocket-accept"] == ACCEPT
            assert await next_word(peer) == "ready"
            taken = [value for name, value in headers.items() if name in OFFERS]
            await peer.send(text(ASK))
            return " ".join([str(status), *taken, await heard(peer)])

    async def silence_after(self, sent: bytes) -> str:
        """Whether a connection that sends this and no more is left alone; then it leaves."""
        async with raw_socket(self.port) as peer:
            await self.greet(peer)
            await peer.send(sent)
            return "silence" if await peer.silent(0.05) else f"{peer.came!r}"


OFFERS = ("sec-websocket-extensions", "sec-websocket-protocol")


async def outcome(conversation: Awaitable[str]) -> str:
    """What came of it, or what went wrong in it."""
    try:
        return await conversation
    except (AssertionError, TimeoutError) as error:
        return f"{type(error).__name__} {error}"


def standing() -> tuple[int, int]:
    """Tasks and open sockets. Of files the store may open one more at any time."""
    links = (Path("/proc/self/fd", number) for number in os.listdir("/proc/self/fd"))
    return len(asyncio.all_tasks()), sum(_leads_to(link).startswith("socket:") for link in links)


def _leads_to(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:  # the descriptor by which the directory was read
        return ""


async def next_word(peer: RawSocket) -> str:
    said = await peer.said()
    return "the end" if said is None else word(*said)


async def heard(peer: RawSocket, ends: bool = False) -> str:
    """The gateway's words; all of them when it *ends* the connection, else those to what was sent so far."""
    if not ends:
        await peer.send(LAST)
    words = []
    while (said := await peer.said()) is not None:
        words.append(word(*said))
        if words[-1] == "unsubscribed:video:last":
            return " ".join(words[:-1])
        if said[0] == CLOSE:
            await peer.send(frame(CLOSE, said[1]))
    return " ".join(words)


@pytest.fixture
async def target(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Target]:
    async with running(settings_for(tmp_path)) as gateway, person(gateway) as ann:
        port = int(gateway.address.rpartition(":")[2])
        target = Target(port, ann.key, caplog, (0, 0))
        # The first ones: what is made for them stays.
        for _ in range(3):
            await target.said_to([close(1000)], ends=True)
        await until(lambda: not any(task.get_name().startswith("live") for task in asyncio.all_tasks()))
        target.before = standing()
        yield target


async def test_a_handshake_is_taken_and_its_offers_are_not(target: Target) -> None:
    came = {case: await target.tried(target.answer_to(sent)) for case, sent in TAKEN.items()}
    assert {case: answer for case, answer in came.items() if answer != "101 pong"} == {}


async def test_what_is_no_handshake_is_refused_over_http(target: Target) -> None:
    wrong = {}
    for case, (sent, status) in REFUSED.items():
        if (answer := await target.tried(target.answer_to(sent))) != str(status):
            wrong[case] = answer
    assert wrong == {}


async def test_every_sequence_of_frames_has_its_one_answer(target: Target) -> None:
    wrong = {}
    for case, (expected, pieces) in FRAMES.items():
        if (came := await target.tried(target.said_to(pieces, "CLOSE" in expected))) != expected:
            wrong[case] = came
    assert wrong == {}


async def test_who_stops_in_the_middle_is_waited_for_and_leaves_nothing(target: Target) -> None:
    wrong = {}
    for case, sent in UNFINISHED.items():
        if (came := await target.tried(target.silence_after(sent))) != "silence":
            wrong[case] = came
    assert wrong == {}


EARLY: dict[str, tuple[str, list[bytes]]] = {
    "a ping": ("PONG:a", [frame(PING, b"a")]),
    "a message": ("pong", [text(ASK)]),
    "half a message": ("pong", [text(ASK)[:9], text(ASK)[9:]]),
    "the first fragment": ("pong", [frame(TEXT, ASK[:5], fin=False), frame(CONTINUATION, ASK[5:])]),
    "a close": ("CLOSE:1000", [close(1000)]),
    "no mask": ("CLOSE:1002", [frame(TEXT, ASK, masked=False)]),
    "no UTF-8": ("CLOSE:1007", [text(b"\xff")]),
    "a byte too many": ("CLOSE:1009", [text(FULL + b" ")]),
}


@pytest.mark.parametrize("where", ["in one segment", "before the answer"])
async def test_what_comes_before_the_answer_is_answered_behind_it(
    target: Target, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    asked, may_go_on, known = asyncio.Event(), asyncio.Event(), Authenticator.by_bearer

    async def by_bearer(accounts: Authenticator, token: str) -> Principal | None:
        asked.set()
        await may_go_on.wait()
        return await known(accounts, token)

    async def told(expected: str, pieces: list[bytes]) -> str:
        asked.clear()
        may_go_on.clear()
        first = target.authorized(handshake())
        async with raw_socket(target.port) as peer:
            await peer.send(*([first + pieces[0]] if where == "in one segment" else [first]))
            await asked.wait()
            await peer.send(*([] if where == "in one segment" else [pieces[0]]))
            too_early = not await peer.silent(0.05)
            may_go_on.set()
            assert not too_early, f"{peer.came!r} came before the answer"
            status, _ = await peer.head()
            assert status == 101
            await peer.send(*pieces[1:])
            # The greeting may come before or behind it, and need not come to who has left.
            words = (await heard(peer, "CLOSE" in expected)).split(" ")
            return " ".join(word for word in words if word != "ready")

    monkeypatch.setattr(Authenticator, "by_bearer", by_bearer)
    wrong = {}
    for case, (expected, pieces) in EARLY.items():
        if (came := await target.tried(told(expected, pieces))) != expected:
            wrong[case] = came
    assert wrong == {}
