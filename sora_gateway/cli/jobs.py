"""``generate`` and ``watch``: a client of a running gateway, here or elsewhere."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sora_gateway.cli.options import Commands, add_command, add_settings, settings_of
from sora_gateway.errors import StartupError

if TYPE_CHECKING:
    from sora_gateway.cli.client import Client
    from sora_gateway.cli.form import Form

URL, API_KEY = "SORA_GATEWAY_URL", "SORA_GATEWAY_API_KEY"
FITS = ("crop", "pad", "stretch")


def register(commands: Commands) -> None:
    generate = add_command(commands, "generate", "make a video", _generate)
    generate.add_argument("prompt", metavar="PROMPT", help="what to show")
    generate.add_argument("--model", help="the model (sora-2)")
    generate.add_argument("--seconds", type=int, help="how long it is")
    generate.add_argument("--size", metavar="WIDTHxHEIGHT", help="how large it is, in pixels")
    generate.add_argument(
        "--image", type=Path, metavar="FILE", help="an image to begin with (JPEG, PNG or WebP)"
    )
    generate.add_argument(
        "--fit", choices=FITS, help="how the image is made as large as the video (crop); needs --image"
    )
    generate.add_argument("--wait", action="store_true", help="show the progress and save the file")
    generate.add_argument("--output", type=Path, metavar="FILE", help="wait, and save it here")
    _add_connection(generate)

    watch = add_command(commands, "watch", "follow a video, or all of them", _watch)
    which = watch.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", metavar="ID", help="the video's id, the gateway's or the upstream's")
    which.add_argument("--all", action="store_true", help="every video that you may see, until Ctrl-C")
    _add_connection(watch)


def _add_connection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help=f"the gateway's address (${URL}; without it, the one on this machine)")
    parser.add_argument("--api-key", metavar="KEY", help=f"better in ${API_KEY}; not needed on this machine")
    add_settings(parser)


def connect(arguments: argparse.Namespace) -> Client:
    """A client of the gateway that the arguments or the environment name, or of the one on this machine.

    Raises:
        StartupError: there is none, or a key is missing.
    """
    from sora_gateway.cli.client import Client

    url = arguments.url or os.environ.get(URL)
    key = arguments.api_key or os.environ.get(API_KEY)
    if url and not key:
        raise StartupError(f"A key for {url} is needed: set {API_KEY} or give --api-key.")
    if not key:
        # Only ever sent to the address that came with it.
        local = _local(arguments, "session.local")
        return Client(local["address"], local["token"])
    return Client(url or _local(arguments, "status")["address"], key)


def _local(arguments: argparse.Namespace, operation: str) -> Any:
    from sora_gateway.control import NotRunning, call
    from sora_gateway.places import DataDirectory

    directory = DataDirectory(settings_of(arguments).data_dir)
    try:
        return call(directory.control, operation, {})
    except NotRunning:
        raise StartupError(
            f"No gateway is running on the data directory {directory.root}; start it with `sora-gateway serve`, or name another one "
            f"with --url or {URL}."
        ) from None


def _generate(arguments: argparse.Namespace) -> int:
    from sora_gateway.cli.client import Unreachable

    waits = arguments.wait or arguments.output is not None
    if waits:
        check_target(arguments.output or Path("video.mp4"))
    wish = _wish(arguments)
    client = connect(arguments)
    try:
        task = client.request("POST", "api/video/tasks", wish)
    except Unreachable as error:
        raise StartupError(
            f"The gateway at {client.base} cannot be reached ({error}); before trying again, see with "
            "`sora-gateway watch --all` or in the page whether it took the video."
        ) from None
    if not waits:
        print(task["videoId"])
        return 0
    try:
        return make_and_save(client, task, arguments.output or Path(f"{task['videoId']}.mp4"))
    except KeyboardInterrupt:
        print(f"The video is still being made; follow it with: sora-gateway watch {task['videoId']}")
        raise


def _wish(arguments: argparse.Namespace) -> Form | dict[str, Any]:
    """What to make: JSON, or a form when it begins with an image. Raises StartupError when that cannot be read."""
    from sora_gateway.cli.form import Form

    given = {name: getattr(arguments, name) for name in ("prompt", "model", "seconds", "size", "fit")}
    wish = {name: value for name, value in given.items() if value is not None}
    image: Path | None = arguments.image
    if image is None:
        if arguments.fit is not None:
            raise StartupError("--fit says how an image is made to fit; name the image with --image FILE.")
        return wish
    try:
        data = image.read_bytes()
    except OSError as error:
        raise StartupError(f"{image} cannot be read: {error.strerror}.") from None
    return Form({name: str(value) for name, value in wish.items()}, "inputReference", image.name, data)


def make_and_save(client: Client, task: Mapping[str, Any], target: Path) -> int:
    """Follows *task* to its end and saves its video as *target*, whose absolute path is printed last."""
    from sora_gateway.cli.follow import follow

    print(task["videoId"], flush=True)
    end = follow(client, task)
    if end.status != "completed":
        return 1
    save(client, task["videoId"], target)
    print(target.resolve())
    return 0


def save(client: Client, video_id: str, target: Path) -> None:
    """Raises StartupError when the file cannot be had."""
    from sora_gateway.cli.client import Unreachable

    try:
        task = client.request("GET", f"api/video/tasks/{video_id}")
        client.download(task["videoUrl"], target)
    except Unreachable as error:
        raise StartupError(f"The file of {video_id} could not be fetched: {error}.") from None


def check_target(target: Path) -> None:
    """Before anything is paid for. Raises StartupError when *target* cannot be written."""
    directory = target.resolve().parent
    if target.is_dir() or not directory.is_dir() or not os.access(directory, os.W_OK):
        raise StartupError(f"{target} cannot be written.")


def _watch(arguments: argparse.Namespace) -> int:
    from sora_gateway.cli.client import Unreachable
    from sora_gateway.cli.follow import follow, follow_all

    client = connect(arguments)
    if arguments.all:
        return follow_all(client)
    try:
        task = client.request("GET", f"api/video/tasks/{quote(arguments.id, safe='')}")
    except Unreachable as error:
        raise StartupError(f"The gateway at {client.base} cannot be reached: {error}.") from None
    return 0 if follow(client, task).status == "completed" else 1
