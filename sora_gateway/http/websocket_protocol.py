"""uvicorn's protocol for one WebSocket. Pinned to uvicorn 0.54: overridden is ``send``, replaced is ``conn``."""

from __future__ import annotations

import logging
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.typing import StatusLike

from sora_gateway.http.middleware import CAREFUL_HEADERS


class _Handshakes(ServerProtocol):
    """Refuses what is no handshake as carefully as everything else is refused."""

    def reject(self, status: StatusLike, text: str) -> Response:
        response = super().reject(status, text)
        for name, value in CAREFUL_HEADERS:
            response.headers[name.decode()] = value.decode()
        return response


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A handshake that was refused over HTTP is over. uvicorn takes it for one that was forgotten, and logs an
    error for each: a program with a revoked key would fill the log with them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Handshakes(
            extensions=[],  # no compression: memory for each connection, and lengths that tell of their content
            max_size=self.config.ws_max_size,
            logger=logging.getLogger("uvicorn.error"),
        )

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True
