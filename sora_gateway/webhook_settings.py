"""``[webhooks]``: what other programs are told of when videos end."""

from __future__ import annotations

from pydantic import Field

from sora_gateway.section import HostAndPort, Seconds, Section


class Webhooks(Section):
    enabled: bool = Field(
        default=True,
        description="Whether anything is sent; while it is off, what happens is kept for later (keep_days).",
    )
    per_person: int = Field(default=10, ge=0, description="Webhooks of one person; 0 is unlimited.")
    allow_http: bool = Field(
        default=False, description="Send to http:// addresses too, where others can read along."
    )
    hosts: tuple[HostAndPort, ...] = Field(
        default=(),
        description="Hosts (or host:port) that may be sent to over http and although their addresses are private.",
    )
    timeout: Seconds = Field(default=15.0, description="Seconds that a receiver may take to answer.")
    at_once: int = Field(
        default=32,
        ge=4,
        le=48,
        description="Tries under way at once; receivers that fail get at most half of them.",
    )
    secret_overlap: float = Field(
        default=86400.0,
        ge=0,
        description="Seconds for which the secret before a rotation signs beside the new one.",
    )
    disable_after: float = Field(
        default=432000.0,
        ge=0,
        description="Seconds without any success after which a message that is given up disables its webhook; 0: never.",
    )
    keep_days: int = Field(default=30, ge=1, description="Days for which deliveries are kept.")
