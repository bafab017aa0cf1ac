"""Sends one message to one destination, once, and says what came of it.

The operator has named the address, so it may be private, as an upstream's may; redirects are not followed. Of an answer
only numbers are kept: what is said in it may be anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sora_gateway.alerts_settings import Alert
from sora_gateway.clock import Clock
from sora_gateway.core.alerts import Message
from sora_gateway.entropy import Entropy
from sora_gateway.upstream.client import HttpClient, Lost, NotSent
from sora_gateway.upstream.moments import retry_after

if TYPE_CHECKING:
    from sora_gateway.alerts.wording import Text

TIMEOUT = 10.0
"""Seconds for all of a try."""


@dataclass(frozen=True, slots=True)
class Posted:
    """*status* is None where no answer came; *code* is the number with which Feishu or DingTalk refused under the
    status 200; *error* is set where there was no answer. *retry_after* in seconds."""

    status: int | None
    code: int | None = None
    error: str = ""
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300 and self.code is None

    @property
    def said(self) -> str:
        """What was answered, for people."""
        if self.status is None:
            return self.error
        return f"status {self.status}" if self.code is None else f"status {self.status}, code {self.code}"


class Poster:
    """*gateway* is what messages call this one, where an operator has several; empty for none."""

    def __init__(self, clock: Clock, entropy: Entropy, gateway: str = "", timeout: float = TIMEOUT) -> None:
        self.gateway = gateway
        self._clock = clock
        self._entropy = entropy
        self._timeout = timeout
        self._client = HttpClient()

    async def post(self, destination: Alert, text: Text, message: Message | None) -> Posted:
        """Never raises."""
        from sora_gateway.alerts.services import Outgoing, refusal, request_to  # there is something to tell

        out = Outgoing(text, message, self.gateway, self._entropy.new_id("alert"), self._clock.now())
        try:
            reply = await self._client.send(request_to(destination, out), deadline=self._timeout, fresh=True)
        except (NotSent, Lost) as trouble:
            return Posted(None, error=str(trouble))
        return Posted(
            reply.status,
            refusal(destination.kind, reply.body),
            retry_after=retry_after(reply.headers, self._clock.now()),
        )

    async def test(self, destination: Alert) -> Posted:
        """Never raises."""
        from sora_gateway.alerts.wording import trial_text

        return await self.post(destination, trial_text(destination.language, self.gateway), None)

    async def aclose(self) -> None:
        await self._client.aclose()
