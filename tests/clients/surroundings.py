"""What a client is told about where it is; nothing but the standard library, for clients live in other environments."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

PREFIX = "SORA_CLIENT_"


@dataclass(frozen=True)
class Surroundings:
    """What ``python -m tests.clients`` hands to each client, as variables that begin with :data:`PREFIX`."""

    url: str
    """Of the gateway, with ``/v1``."""
    lossy_url: str
    """The same behind the proxy that loses answers."""
    key: str
    pages_key: str
    """Of somebody who has no videos yet."""
    viewer_key: str
    poor_key: str
    """Of somebody without credits."""
    journal: str
    """The simulator's list of what was paid for."""
    clip: str
    """An MP4 of two seconds."""

    @classmethod
    def read(cls) -> Surroundings:
        return cls(**{name: os.environ[PREFIX + name.upper()] for name in cls.__dataclass_fields__})

    def variables(self) -> dict[str, str]:
        return {PREFIX + name.upper(): getattr(self, name) for name in self.__dataclass_fields__}

    def paid(self, mark: str) -> int:
        """How many creates with *mark* in their prompt the upstream has taken."""
        whole, _, _ = Path(self.journal).read_text(encoding="utf-8").rpartition("\n")
        return sum(mark in json.loads(line)["prompt"] for line in whole.splitlines())
