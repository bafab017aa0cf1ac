"""Who does something that is written down, and from where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """*name* is a person's id. *address* is the client's, *request_id* that of the answer; both are empty where
    nobody came over HTTP."""

    name: str
    address: str = ""
    request_id: str = ""


COMMAND_LINE = Actor("command line")
"""Who acts when nobody has signed in: whoever may open the data directory."""
