"""What every live connection is handed, and the limits that hold for it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from sora_gateway.clock import Clock
from sora_gateway.core.job import Job
from sora_gateway.realtime.doors import Doors, Most
from sora_gateway.realtime.hub import Hub
from sora_gateway.realtime.rights import Authenticator, Rights
from sora_gateway.store import Store


@dataclass(frozen=True, slots=True)
class RealtimeLimits:
    """Times in seconds; *replay* in events, *topics* per WebSocket, of connections how many there may be at once; 0 is
    unlimited."""

    heartbeat: float = 15.0
    sse_max_age: float = 1800.0
    auth_timeout: float = 10.0
    topics: int = 100
    replay: int = 1000
    messages_per_second: int = 30
    """Inbound, per WebSocket."""
    connections: int = 20_000
    per_person: int = 100
    per_address: int = 1000
    send_timeout: float = 10.0
    """A peer that takes nothing for so long is given up."""

    @property
    def most(self) -> Most:
        return Most(self.connections, self.per_person, self.per_address)


@dataclass(frozen=True, slots=True)
class Live:
    """One for the process. *limits* are those in force now."""

    store: Store
    hub: Hub
    authenticator: Authenticator
    clock: Clock
    limits: Callable[[], RealtimeLimits]
    kept_until: Callable[[Job, Collection[str]], float | None] = lambda *_: None
    """When the files of a job with these tags go because of their age."""
    doors: Doors = field(default_factory=Doors)
    rights: Rights = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rights", Rights(self.authenticator, self.clock))
