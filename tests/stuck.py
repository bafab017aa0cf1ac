"""Peers that follow live updates and take next to nothing of them, each in its own way, over plain sockets."""

from __future__ import annotations

import ctypes
import itertools
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from sora_gateway.bench.fanout_clients import TEXT, masked

RECEIVE_BUFFER = 4096
"""Bytes that a peer's kernel takes for it; by itself it would take megabytes before anybody notices."""
_WEBSOCKET = (
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {key}\r\n\r\n"
)
_STREAM = "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n"
_SO_ATTACH_FILTER = 26
_RETURN = 0x06


@contextmanager
def stuck_peers(port: int, key: str, job_id: str, count: int) -> Iterator[None]:
    """*count* of them, while this is entered. Half of all are WebSockets, half event streams. A third never reads what
    happens to all of its owner's jobs; a third takes one byte of that each second; a third follows *job_id*, and has
    vanished from the network. That is half-open in earnest: to the gateway it is there, and acknowledges nothing.
    """
    slow: list[socket.socket] = []
    over = threading.Event()
    reading = threading.Thread(target=_sip, args=(slow, over), name="peers that take one byte a second")
    with ExitStack() as stack:
        for number, opened in zip(range(count), itertools.cycle((_websocket, _stream)), strict=False):
            gone = _vanishes(number)
            peer = stack.enter_context(opened(port, key, job_id if gone else None))
            if gone:
                _vanish(peer)
            elif number // 2 % 3 == 1:
                slow.append(peer)
        reading.start()
        try:
            yield
        finally:
            over.set()
            reading.join()


def vanished(count: int) -> int:
    """How many of *count* have vanished; the others are there and acknowledge what fits."""
    return sum(map(_vanishes, range(count)))


def _vanishes(number: int) -> bool:
    return number // 2 % 3 == 2


def _sip(peers: list[socket.socket], over: threading.Event) -> None:
    while not over.wait(1.0):
        for peer in peers:
            with suppress(OSError):  # the gateway has given it up
                peer.recv(1)


def _websocket(port: int, key: str, job_id: str | None) -> socket.socket:
    peer = _asking(port, _WEBSOCKET.format(key=key))
    _take(peer, b'"ready"')
    wanted = {"type": "subscribe"} | ({"all": True} if job_id is None else {"videoId": job_id})
    peer.sendall(masked(TEXT, json.dumps(wanted).encode()))
    _take(peer, b'"subscribed"')
    return peer


def _stream(port: int, key: str, job_id: str | None) -> socket.socket:
    path = "/api/events/stream" if job_id is None else f"/api/video/tasks/{job_id}/stream"
    peer = _asking(port, _STREAM.format(path=path, key=key))
    _take(peer, b"event: subscribed")
    return peer


def _asking(port: int, head: str) -> socket.socket:
    peer = socket.socket()
    peer.settimeout(10)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    peer.connect(("127.0.0.1", port))
    peer.sendall(head.encode())
    return peer


def _take(peer: socket.socket, mark: bytes) -> None:
    """Reads what comes up to *mark*, and maybe a little more."""
    read = b""
    while mark not in read:
        piece = peer.recv(RECEIVE_BUFFER)
        assert piece, f"the gateway ended the connection after {read!r}"
        read += piece


def _vanish(peer: socket.socket) -> None:
    """As when its machine has lost its power: every packet to it is dropped, unseen and unanswered.

    It is a filter of one instruction, a ``struct sock_fprog``, that lets nothing through to the socket.
    """
    program = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, 0))
    filter_ = struct.pack("HL", 1, ctypes.addressof(program))
    peer.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)
