"""What is known of relays that make videos on ``/v1/chat/completions``: how an order is put to each, as data.

Reading their answers needs no profile: they are read by what they have in common.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Literal

from sora_gateway.upstream.adapter import CreateOrder


@dataclass(frozen=True, slots=True)
class ChatProfile:
    """One relay's habits. A chat has no fields for size and length: they go into the model's name or the prompt."""

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


CHAT_PROFILES: dict[str, ChatProfile] = {
    # For a relay that nobody has described: plain words, which every model understands.
    "generic": ChatProfile(words="{orientation} video, {size}, {seconds} seconds"),
    # apiyi, LaoZhang and their like: sora_video2, sora_video2-landscape, sora_video2-landscape-15s.
    "emoji": ChatProfile(landscape="-landscape", duration="-{seconds}s", usual_seconds=10),
    # sora2-landscape-10s, sora2pro-hd-portrait-15s.
    "sora2api": ChatProfile(landscape="-landscape", portrait="-portrait", duration="-{seconds}s"),
    # 22codex, PiAPI, yunwu: they read the orientation out of the prompt.
    "task-id": ChatProfile(words="{mode}，{seconds}秒", names_task=True),
    # The same words in any order; 10 seconds is what it makes without one.
    "tokens-pool": ChatProfile(
        landscape="-landscape", portrait="-portrait", duration="-{seconds}s", usual_seconds=10
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
