"""What is known of relays that make videos on ``/v1/chat/completions``: how an order is put to each, as data.

Reading their answers needs no profile: they are read by what they have in common.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Literal

from sora_gateway.upstream.adapter import CreateOrder


@dataclass(frozen=True, slots=True)
class ChatProfile:
    """One relay's habits. A chat has no fields for size and length: they go into the model's name or the prompt."""

    servers: str = ""
    """Which relays it is for, in a few words."""
    auth_scheme: Literal["bearer", "raw"] = "bearer"
    """``Authorization: Bearer KEY`` or ``Authorization: KEY``."""
    landscape: str = ""
    """What the model's name ends with for a video that is wider than it is high."""
    portrait: str = ""
    """The same for any other video."""
    duration: str = ""
    """What follows, with ``{seconds}`` in it."""
    usual_seconds: int = 0
    """The length for which *duration* is left out; 0 for none."""
    words: str = ""
    """What follows the prompt, with ``{orientation}`` or ``{mode}`` (the same in Chinese), ``{size}`` and ``{seconds}``."""
    names_task: bool = False
    """Whether the text gives the task's id before long: worth waiting for, as it is what the relay's people can look up."""


_TOKENS_POOL = ChatProfile(
    "Tokens-Pool (`sora_video2`), key as `Bearer KEY`; base_url ends in `/sora/v1`",
    landscape="-landscape",
    portrait="-portrait",
    duration="-{seconds}s",
    usual_seconds=10,
)

CHAT_PROFILES: dict[str, ChatProfile] = {
    "generic": ChatProfile(
        "a relay that nobody has described: plain words, which every model understands",
        words="{orientation} video, {size}, {seconds} seconds",
    ),
    "emoji": ChatProfile(
        "apiyi, LaoZhang and others that report with emojis (`sora_video2`)",
        landscape="-landscape",
        duration="-{seconds}s",
        usual_seconds=10,
    ),
    "sora2api": ChatProfile(
        "sora2api and sub2api (`sora2`, `sora2pro`, `sora2pro-hd`)",
        landscape="-landscape",
        portrait="-portrait",
        duration="-{seconds}s",
    ),
    "task-id": ChatProfile(
        "22codex, PiAPI, yunwu: they read the orientation out of the prompt, and name the task",
        words="{mode}，{seconds}秒",
        names_task=True,
    ),
    "tokens-pool": _TOKENS_POOL,
    "tokens-pool-raw": replace(
        _TOKENS_POOL,
        servers="the same, key without `Bearer`, as its older versions want it",
        auth_scheme="raw",
    ),
}

_MODES = {"landscape": "横屏", "portrait": "竖屏", "square": "方形"}


def chat_body(profile: ChatProfile, order: CreateOrder) -> dict[str, object]:
    """The JSON body of the one paid request; a reference image is a data URL in it."""
    width, _, height = order.size.partition("x")
    wider, higher = int(width) > int(height), int(height) > int(width)
    orientation = "landscape" if wider else "portrait" if higher else "square"
    model = order.model + (profile.landscape if wider else profile.portrait)
    if order.seconds != profile.usual_seconds:
        model += profile.duration.format(seconds=order.seconds)
    prompt = order.prompt
    if profile.words:
        words = profile.words.format(
            orientation=orientation, mode=_MODES[orientation], size=order.size, seconds=order.seconds
        )
        prompt = f"{prompt}\n\n{words}"
    content: list[dict[str, object]] = [{"type": "text", "text": prompt}]
    if order.image:
        data = base64.b64encode(order.image).decode("ascii")
        content.append({"type": "image_url", "image_url": {"url": f"data:{order.image_type};base64,{data}"}})
    return {"model": model, "stream": True, "messages": [{"role": "user", "content": content}]}
