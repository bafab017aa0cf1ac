"""The event log: what is stored of an event, and the cursor that names a place in the log. What people read of it are
:mod:`.messages`, which a start needs not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

UrlsOf: TypeAlias = Callable[[str, Sequence[str]], Mapping[str, str]]
"""From a job's id and the names of its stored files to their addresses by name, signed now."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the event log: the log's epoch and the global sequence number of the last event seen."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return written(self.epoch, self.seq)

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """The cursor written as *text*, or None if it is none."""
        match = re.fullmatch(r"([0-9a-f]{16})-(0|[1-9][0-9]{0,18})", text)
        return cls(match[1], int(match[2])) if match else None


def written(epoch: str, seq: int) -> str:
    """The cursor as it is told."""
    return f"{epoch}-{seq}"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row of the event log, as the hub and the replay hand it on."""

    seq: int
    job_id: str
    owner: str
    job_seq: int
    step: str
    payload: str
    """JSON of :class:`StoredState`."""
    at: float
    final: bool
    team: bool = False
    """Whether the whole team may see the job: when it happened for the hub, today for the replay."""
