"""Keeps a Python program on this machine; Python imports it at its start from what ``PYTHONPATH`` names.

Whoever is looked up or called elsewhere is refused, and written down in the file that ``SORA_PEERS_LEFT`` names.
"""

import asyncio
import os
import sys
import types
from typing import Any

_HERE = {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "None"}


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name not in _HERE:
        with open(os.environ["SORA_PEERS_LEFT"], "a", encoding="utf-8") as left:
            left.write(f"{name}\n")
        raise OSError(f"{name} is not on this machine")


sys.addaudithook(_guard)
# The faster loop calls out without telling Python.
_slower = types.ModuleType("uvloop")
_slower.__dict__["new_event_loop"] = asyncio.new_event_loop
sys.modules["uvloop"] = _slower
