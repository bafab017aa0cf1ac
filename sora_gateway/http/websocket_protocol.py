"""uvicorn's protocol for one WebSocket. Pinned to uvicorn 0.54: overridden is ``send``."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A handshake that was refused over HTTP is over. uvicorn takes it for one that was forgotten, and logs an
    error for each: a program with a revoked key would fill the log with them."""

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True
