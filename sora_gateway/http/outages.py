"""``/api/outages``: what is out of order now and makes videos wait, told to everybody who waits for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from sora_gateway.core.views import View, iso
from sora_gateway.http.routing import Access, Call, Endpoint

if TYPE_CHECKING:
    from sora_gateway.supervisor.gate import Gate

Cause = Literal["switched_off", "spend_cap", "silent", "refused"]


class UpstreamOutage(View):
    """An upstream that takes no new videos now. What it has goes on; what waits for it is not lost."""

    upstream: str
    cause: Cause = Field(
        description=(
            "An administrator switched it off, its spend cap is reached, it does not answer, or it refuses our account."
        )
    )
    opens_at: str | None = Field(description="When it is tried again; null when nobody can say.")


class Outages(View):
    storage_full: bool = Field(
        description="Whether there is too little space for new videos; they are refused with `storage_full`."
    )
    upstreams: list[UpstreamOutage]


def cause_of(gate: Gate, now: float) -> Cause | None:
    """Why *gate* lets nothing through at *now*, in epoch seconds; None when it does."""
    if gate.paused:
        if gate.opens_at is None:
            return "switched_off"
        return "silent" if gate.breaker == "open" else "refused"
    return "spend_cap" if gate.spend.reached(now) else None


async def list_outages(call: Call) -> Outages:
    """What makes videos wait, or has new ones refused, beyond what each of them says."""
    services = call.services
    now, ticks = services.clock.now(), services.clock.monotonic()
    found = []
    for name, upstream in services.upstreams.items():
        gate = upstream.gate
        cause = cause_of(gate, now)
        if cause is None:
            continue
        opens = gate.spend.frees_at(now) if cause == "spend_cap" else gate.opens_at
        if opens is not None and cause != "spend_cap":
            opens += now - ticks
        found.append(UpstreamOutage(upstream=name, cause=cause, opens_at=iso(opens)))
    full = services.files.free_bytes() < services.settings.media.min_free_disk
    return Outages(storage_full=full, upstreams=found)


ENDPOINTS = [
    Endpoint(
        method="GET", path="/api/outages", handler=list_outages, summary="What is out of order",
        access=Access.VIEWER, tag="videos", response=Outages,
    ),
]  # fmt: skip
