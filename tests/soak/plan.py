"""How long a soak is, how rough, and how much there is to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How long, how rough, how much. *module* is what is run as the gateway; see :mod:`tests.killable`."""

    seconds: float
    seed: int
    shortest: float = 5.0
    longest: float = 40.0
    """Bounds of a life, in seconds."""
    calm: float = 60.0
    """Seconds of the same load without a kill, in the end."""
    backup_every: float = 25.0
    """Seconds between two backups, on average; 0 for none."""
    hands: int = 2
    """Of each person."""
    pause: float = 0.8
    """Seconds between two acts of a hand, on average."""
    faulty: float = 0.25
    """Share of the videos at which the upstream does something wrong."""
    config: str = ""
    """More for the gateway's configuration file."""
    naps: float = 0.3
    """Share of the interruptions after which some followers stay away for a while."""
    duration: float = 3.0
    """Seconds that a video takes."""
    patience: float = 90.0
    """Seconds in the end in which lost creates are looked for, and failed messages are sent again."""
    rest: float = 3.0
    """Seconds after which a gateway without visitors is looked at."""
    module: tuple[str, ...] = ("sora_gateway",)
