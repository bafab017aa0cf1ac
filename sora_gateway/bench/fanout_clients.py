"""The subscribers of ``bench fanout``: ``python -m sora_gateway.bench.fanout_clients PORT``.

Thousands of WebSockets in one thread around epoll. Handshakes and frames are done by hand, and of a message nothing is
looked at but whether it has the mark of the last one: it says what CPU it used.

When a message has come is what the kernel says of its segment (``SO_TIMESTAMPNS``), by the clock of the day: all the
clients share one core, and the last of them would read long after it could have. It is asked for the last tenth of
those who wait: sockets become ready in the order in which something comes, so the last to come is among the last read.

Every update is acknowledged by TCP as soon as it is read, and by this process. By itself the kernel decides that for each
connection, by how long nothing came and how often its client has said something: then the acknowledgement is made as the
segment arrives, which on the loopback is inside the sender's own call. It costs about as much as the rest of that call,
and which server pays it would be decided by how its protocol begins.
Commands and answers are lines of JSON on stdin and stdout; it ends when stdin does.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sora_gateway.descriptors import raise_limit

AT_ONCE = 100
"""Handshakes under way."""
EACH_ADDRESS = 5000
"""Connections from one address of this machine; each has some 28,000 ports."""
PAUSE, MANY = 0.00025, 200
"""While more than so many clients await the message, there are seconds between two looks at the sockets: whoever
looks for each message by itself is woken, by the server, for each."""
PATIENCE = 30.0
CONTROL = 0
_BIND_ADDRESS_NO_PORT = 24
"""Linux: the port is chosen when the connection is made, so that each peer's may be used anew."""
_HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n{authorization}\r\n"
)
_STAMPS = 35
"""Linux, SO_TIMESTAMPNS: with each segment comes when it came, in seconds and nanoseconds."""
_STAMP = struct.Struct("qq")
_LATER, _NOW = 0, 2
"""Linux, TCP_QUICKACK: acknowledge with what is sent next, and what has come at once and then the same as before."""
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame; its mask of zeros leaves the payload as it is."""
    length = len(payload)
    size = bytes([0x80 | length]) if length < 126 else bytes([0xFE]) + length.to_bytes(2)
    return bytes([0x80 | opcode]) + size + bytes(4) + payload


class Lost(Exception):
    """A connection ended, or a handshake was refused."""


class Clients:
    def __init__(self, port: int) -> None:
        self._port = port
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._options: dict[int, Callable[[int, int, int], None]] = {}
        """What sets an option of each."""
        self._order: list[int] = []
        self._rest: dict[int, bytes] = {}
        """Frames that have come in part."""
        self._buffer = bytearray(1 << 16)
        self._mark = b"\xff"
        """What the awaited message has in it; this one no text has."""
        self._awaited: set[int] = set()
        self._asked_when = 0
        """From so few awaited on it is asked when they came."""
        self._came: list[int] = []
        """When the last ones came."""
        self._frames = self._bytes = 0
        self._keep = False
        self._kept = b""

    def serve(self) -> None:
        """Obeys until stdin ends."""
        self._poll.register(CONTROL, select.EPOLLIN)
        commands, armed, used = b"", False, 0
        while True:
            if self._turn(-1.0):
                read = os.read(CONTROL, 1 << 20)
                if not read:
                    return
                commands += read
                if commands.endswith(b"\n"):
                    command, commands = json.loads(commands), b""
                    armed = command["op"] == "arm"
                    self._obey(command)
                    used = time.process_time_ns()
            if armed and len(self._awaited) > MANY:
                time.sleep(PAUSE)
            elif armed and not self._awaited:
                armed = False
                done, came = time.time_ns(), sorted(self._came)
                _say({"last": came[-1], "most": came[-1 - len(self._order) // 100], "read": done, "frames": self._frames, "bytes": self._bytes,
                      "used": time.process_time_ns() - used, "text": self._kept.decode()})  # fmt: skip

    def _obey(self, command: dict[str, object]) -> None:
        match command:
            case {"op": "connect", "count": int(count), "key": str(key), "texts": list(texts)}:
                self._connect(count, key, texts)
            case {"op": "tell", "texts": list(texts)}:
                for start in range(0, len(self._order), AT_ONCE):
                    self._tell(self._order[start : start + AT_ONCE], start, texts)
            case {"op": "arm", "mark": str(mark), "keep": bool(keep)}:
                self._mark, self._keep, self._kept = mark.encode(), keep, b""
                self._frames = self._bytes = 0
                self._asked_when, self._came = max(1, len(self._order) // 10), []
                for set_option in self._options.values():
                    set_option(socket.IPPROTO_TCP, socket.TCP_QUICKACK, _LATER)
                self._awaited = set(self._order)
        _say({"connected": len(self._order)})

    # --- connecting ------------------------------------------------------------------------------

    def _connect(self, count: int, key: str, texts: Sequence[Sequence[str]]) -> None:
        """*count* more connections; the n-th of all sends the n-th of *texts*, which begin anew at their end."""
        authorization = f"Authorization: Bearer {key}\r\n" if key else ""
        handshake = _HANDSHAKE.format(port=self._port, authorization=authorization).encode()
        wanted = len(self._order) + count
        while len(self._order) < wanted:
            start = len(self._order)
            made = [self._open(number) for number in range(start, min(start + AT_ONCE, wanted))]
            for connection in made:
                connection.send(handshake)
            for connection in made:
                self._rest[connection.fileno()] = self._accepted(connection)
                connection.setblocking(False)
                self._poll.register(connection.fileno(), select.EPOLLIN)
            self._order += [connection.fileno() for connection in made]
            self._tell(self._order[start:], start, texts)

    def _open(self, number: int) -> socket.socket:
        connection = socket.socket()
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        connection.setsockopt(socket.SOL_SOCKET, _STAMPS, 1)
        connection.bind((f"127.0.0.{1 + number // EACH_ADDRESS}", 0))
        connection.connect(("127.0.0.1", self._port))
        self._sockets[connection.fileno()] = connection
        self._options[connection.fileno()] = connection.setsockopt
        return connection

    def _accepted(self, connection: socket.socket) -> bytes:
        """What came after the answer to the handshake."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            read = connection.recv(4096)
            if not read:
                raise Lost("the server ended a connection instead of answering")
            answer += read
        head, _, rest = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise Lost(f"a handshake was refused: {answer[:300].decode(errors='replace')}")
        return rest

    def _tell(self, connections: Sequence[int], start: int, texts: Sequence[Sequence[str]]) -> None:
        """Sends, and awaits that every connection follows what it asked for."""
        self._mark, self._awaited, self._asked_when = b'"subscribed"', set(connections), 0
        for number, fd in enumerate(connections, start):
            for text in texts[number % len(texts)]:
                self._sockets[fd].send(masked(TEXT, text.encode()))
        latest = time.monotonic() + PATIENCE
        while self._awaited:
            self._turn(0.1)
            if time.monotonic() > latest:
                raise Lost(f"{len(self._awaited)} subscriptions were not confirmed")

    # --- reading ---------------------------------------------------------------------------------

    def _turn(self, timeout: float) -> bool:
        """Reads what has come; returns whether a command is among it.

        A whole frame of middle length, which is what an update is, is recognised without being copied.
        """
        buffer, awaited, rest, mark, keep = self._buffer, self._awaited, self._rest, self._mark, self._keep
        into, read, command, frames = [buffer], os.readv, False, 0
        options, tcp, quick_ack = self._options, socket.IPPROTO_TCP, socket.TCP_QUICKACK
        waited, asked_when, when = bool(awaited), self._asked_when, 0
        for fd, _ in self._poll.poll(timeout, 512):
            if fd == CONTROL:
                command = True
                continue
            asked = len(awaited) <= asked_when
            if asked:
                size, when = self._read(fd, into)
            else:
                size = read(fd, into)
            self._bytes += size
            if waited:
                options[fd](tcp, quick_ack, _NOW)
            if (
                size > 4 and buffer[0] == 0x81 and buffer[1] == 126 and size == (buffer[2] << 8 | buffer[3]) + 4
                and not keep and not rest.get(fd)
            ):  # fmt: skip
                frames += 1
                marked = buffer.find(mark, 4, size) >= 0
            else:
                marked = self._parse(fd, rest.pop(fd, b"") + bytes(buffer[:size]), ended=not size)
            if marked and fd in awaited:
                awaited.remove(fd)
                if asked:
                    self._came.append(when)
        self._frames += frames
        return command

    def _read(self, fd: int, into: Sequence[bytearray]) -> tuple[int, int]:
        """How much came, and when the last of it did."""
        size, beside, _, _ = self._sockets[fd].recvmsg_into(into, socket.CMSG_SPACE(_STAMP.size))
        if not beside:
            raise Lost("the server ended a connection, or this system does not say when something came")
        seconds, nanoseconds = _STAMP.unpack(beside[0][2])
        return size, seconds * 1_000_000_000 + nanoseconds

    def _parse(self, fd: int, data: bytes, *, ended: bool) -> bool:
        """Whether the mark is in a message."""
        if ended:
            raise Lost("the server ended a connection")
        marked = False
        while len(data) >= 2:
            at, length = 2, data[1]
            if length >= 126:
                at = 4 if length == 126 else 10
                length = int.from_bytes(data[2:at])
            if len(data) < at + length:
                break
            opcode, payload, data = data[0] & 15, data[at : at + length], data[at + length :]
            if opcode == PING:
                self._sockets[fd].send(masked(PONG, payload))
            elif opcode == CLOSE:
                raise Lost(f"the server closed a connection: {payload!r}")
            else:
                self._frames += 1
                if self._mark in payload:
                    marked = True
                    if self._keep:
                        self._kept = payload
        if data:
            self._rest[fd] = data
        return marked


def _say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise_limit()
    try:
        Clients(int(sys.argv[1])).serve()
    except (Lost, OSError) as error:
        with suppress(BrokenPipeError):  # whoever would read it may be gone
            _say({"error": str(error)})
