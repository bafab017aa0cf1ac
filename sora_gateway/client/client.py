"""The gateway as a program sees it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

from sora_gateway.client.failures import Answered, Unreachable
from sora_gateway.client.http import Http, task_path
from sora_gateway.client.values import Pace, State, Task, Topic, Transport
from sora_gateway.client.watch import Renew, Watch
from sora_gateway.clock import Clock, SystemClock
from sora_gateway.entropy import Entropy, SystemEntropy

TRIES = 4
"""How often an order is sent before it is given up."""
_ASK_AGAIN = frozenset({502, 503, 504})
"""Whoever answers so may have the request, or not: with the same key it is one request."""


class GatewayClient:
    """``async with GatewayClient(base_url, api_key) as client``. *renew* gives a new key when the old one has expired
    while something is followed; *clock*, *entropy* and *pace* are for tests.

    Every method raises Answered when the gateway says no, and Unreachable when it says nothing.

    Raises:
        ValueError: *base_url* is not the address of a gateway.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        renew: Renew | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._http = Http(base_url, api_key)
        self._renew = renew
        self._clock = clock or SystemClock()
        self._entropy = entropy or SystemEntropy()
        self._pace = pace or Pace()
        self._watches: WeakSet[Watch] = WeakSet()

    @property
    def base(self) -> str:
        """The gateway's address."""
        return self._http.base

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watch in list(self._watches):
            # One that somebody still waits for ends with the connections that it uses.
            with suppress(RuntimeError):
                await watch.aclose()
        await self._http.aclose()

    async def generate(
        self,
        prompt: str,
        *,
        model: str | None = None,
        seconds: int | None = None,
        size: str | None = None,
        image: tuple[str, bytes] | None = None,
        fit: str | None = None,
        idempotency_key: str | None = None,
    ) -> Task:
        """Orders a video; it is durable when this returns. *image* is a file's name and bytes, to begin with.

        An answer that is lost is asked for again with the same key, so that one video is made and paid.
        """
        given = {"prompt": prompt, "model": model, "seconds": seconds, "size": size, "fit": fit}
        wish = {name: value for name, value in given.items() if value is not None}
        body: dict[str, Any] = {"json": wish}
        if image is not None:
            # What a file is, the gateway sees for itself.
            file = (image[0], image[1], "application/octet-stream")
            body = {"data": {n: str(v) for n, v in wish.items()}, "files": {"inputReference": file}}
        headers = {"Idempotency-Key": idempotency_key or self._entropy.new_id("order")}
        for attempt in range(TRIES - 1):
            try:
                return Task.of(await self._http.request("POST", "api/video/tasks", headers=headers, **body))
            except Unreachable:
                pass
            except Answered as error:
                if error.http_status not in _ASK_AGAIN:
                    raise
            await self._clock.sleep(self._entropy.fraction() * self._pace.first_delay * 2**attempt)
        return Task.of(await self._http.request("POST", "api/video/tasks", headers=headers, **body))

    async def get(self, video_id: str) -> Task:
        """A video by either id, the gateway's or the upstream's."""
        return Task.of(await self._http.request("GET", task_path(video_id)))

    async def cancel(self, video_id: str) -> Task:
        return Task.of(await self._http.request("POST", f"{task_path(video_id)}/cancel"))

    async def download(self, video_id: str, path: str | os.PathLike[str], *, variant: str = "video") -> Path:
        """Saves a file of a video as *path*: complete, or not at all. *variant* is ``video``, ``thumbnail``,
        ``spritesheet`` or ``reference``.

        Raises:
            OSError: it cannot be written.
        """
        target = Path(path)
        await self._http.download(f"{task_path(video_id)}/content?variant={variant}", target)
        return target

    def watch(
        self,
        *,
        video_id: str | None = None,
        external_video_id: str | None = None,
        all: bool = False,
        pending: bool = False,
        patience: float | None = None,
        on_state: Callable[[State, Transport | None], None] | None = None,
    ) -> Watch:
        """Follows one video by the gateway's id or the upstream's, or *all* that may be seen; see :class:`Watch`.

        *pending* waits for an upstream's id that is not known yet. Without *patience*, in seconds, a gateway that
        cannot be reached is tried for ever. *on_state* is told what the connection is doing, and by which transport.

        Raises:
            ValueError: not exactly one of the three is asked for.
        """
        if (video_id is not None) + (external_video_id is not None) + all != 1:
            raise ValueError("Name exactly one of video_id, external_video_id and all.")
        watch = Watch(
            self._http,
            Topic(video_id, external_video_id, pending),
            clock=self._clock,
            entropy=self._entropy,
            pace=self._pace,
            renew=self._renew,
            patience=patience,
            on_state=on_state,
        )
        self._watches.add(watch)
        return watch
