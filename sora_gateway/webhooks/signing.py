"""The secrets of endpoints: made, encrypted for the database, and used to sign."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections import OrderedDict

from sora_gateway.core.webhook_signature import signature
from sora_gateway.entropy import Entropy
from sora_gateway.errors import StartupError
from sora_gateway.keybox import KeyBox
from sora_gateway.store.webhooks import WebhookRecord
from sora_gateway.webhooks.messages import NotTold

log = logging.getLogger(__name__)

_REMEMBERED = 1024
"""Secrets in memory at most: opening one takes longer than signing with it."""


class Secrets:
    """None is known to the log's redactor, which forgets nothing: there are as many as people want, and it knows them
    all by their shape."""

    def __init__(self, box: KeyBox, entropy: Entropy) -> None:
        self._box = box
        self._entropy = entropy
        self._opened: OrderedDict[str, str] = OrderedDict()

    async def new(self) -> tuple[str, str]:
        """A new secret, as its owner is shown it and as it is stored."""
        # A hash of the token has 32 bytes, whatever letters tokens are written in.
        key = hashlib.sha256(self._entropy.token().encode()).digest()
        text = f"whsec_{base64.b64encode(key).decode()}"
        # In a thread: encrypting begins with an import that takes long, and may write the key's file.
        return text, await asyncio.to_thread(self._box.lock, text)

    async def headers(
        self, webhook: WebhookRecord, message_id: str, body: bytes, now: float
    ) -> dict[str, str]:
        """Those of Standard Webhooks, with a second signature while an old secret is good.

        Raises:
            NotTold: the secret cannot be read any more: the file of the encrypting key is another one, or gone.
        """
        secrets = [await self._open(webhook.secret)]
        if webhook.old_secret is not None and webhook.old_until is not None and now < webhook.old_until:
            secrets.append(await self._open(webhook.old_secret))
        if secrets[0] is None:
            log.error("the secret of the webhook %s cannot be read; is its key file another one?", webhook.id)
            raise NotTold("The secret of the webhook cannot be read here any more; rotate it.")
        timestamp = str(int(now))
        return {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(
                signature(each, message_id, timestamp, body) for each in secrets if each is not None
            ),
        }

    async def _open(self, locked: str) -> str | None:
        if locked not in self._opened:
            try:
                text = await asyncio.to_thread(self._box.unlock, locked)
            except StartupError:
                return None
            self._opened[locked] = text
            if len(self._opened) > _REMEMBERED:
                self._opened.popitem(last=False)
        return self._opened[locked]
