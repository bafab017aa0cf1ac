"""Makes the shipped clip and its pictures anew: ``python -m sora_gateway.upstream.simulator.make_clip``.

Needs the media extra. The files belong into the repository; nothing runs this at build time.
"""

from __future__ import annotations

from sora_gateway.media.render import render
from sora_gateway.media.video import poster, spritesheet
from sora_gateway.upstream.simulator.files import SHIPPED


def main() -> None:
    video = str(SHIPPED["video"])
    render(video, "sora-gateway simulator", 640, 360, 4, fps=15, seed=5)
    poster(video, str(SHIPPED["thumbnail"]))
    spritesheet(video, str(SHIPPED["spritesheet"]))


if __name__ == "__main__":
    main()
