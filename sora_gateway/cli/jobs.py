"""``generate`` and ``watch``: a client of a running gateway, here or elsewhere."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sora_gateway.cli.options import Commands, add_command, add_settings, settings_of
from sora_gateway.errors import StartupError

if TYPE_CHECKING:
    from sora_gateway.client import GatewayClient, Task

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


def connect(arguments: argparse.Namespace) -> GatewayClient:
    """A client of the gateway that the arguments or the environment name, or of the one on this machine.

    Raises:
        StartupError: there is none, or a key is missing.
    """
    url = arguments.url or os.environ.get(URL)
    key = arguments.api_key or os.environ.get(API_KEY)
    if url and not key:
        raise StartupError(f"A key for {url} is needed: set {API_KEY} or give --api-key.")
    if not key:
        # Only ever sent to the address that came with it.
        local = _local(arguments, "session.local")
        return client_of(local["address"], local["token"])
    return client_of(url or _local(arguments, "status")["address"], key)


def client_of(url: str, key: str) -> GatewayClient:
    """Raises StartupError when that is no address."""
    from sora_gateway.client import GatewayClient

    try:
        return GatewayClient(url, key)
    except ValueError as error:
        raise StartupError(str(error)) from None


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
    import asyncio

    waits = arguments.wait or arguments.output is not None
    if waits:
        check_target(arguments.output or Path("video.mp4"))
    wish = _wish(arguments)
    client = connect(arguments)
    made: list[Task] = []
    try:
        return asyncio.run(_order(client, wish, made, waits, arguments.output))
    except KeyboardInterrupt:
        if made and waits:
            print(f"The video is still being made; follow it with: sora-gateway watch {made[0].video_id}")
        raise


async def _order(
    client: GatewayClient, wish: dict[str, Any], made: list[Task], waits: bool, output: Path | None
) -> int:
    """Puts the video into *made* as soon as there is one."""
    from sora_gateway.client import Unreachable

    async with client:
        try:
            task = await client.generate(**wish)
        except Unreachable as error:
            raise StartupError(
                f"The gateway at {client.base} cannot be reached ({error}); before trying again, see with "
                "`sora-gateway watch --all` or in the page whether it took the video."
            ) from None
        made.append(task)
        if waits:
            return await make_and_save(client, task, output or Path(f"{task.video_id}.mp4"))
        print(task.video_id)
        return 0


def _wish(arguments: argparse.Namespace) -> dict[str, Any]:
    """What to make, as a client takes it. Raises StartupError when the image cannot be read."""
    wish = {name: getattr(arguments, name) for name in ("prompt", "model", "seconds", "size", "fit")}
    image: Path | None = arguments.image
    if image is None:
        if arguments.fit is not None:
            raise StartupError("--fit says how an image is made to fit; name the image with --image FILE.")
        return wish
    try:
        return wish | {"image": (image.name, image.read_bytes())}
    except OSError as error:
        raise StartupError(f"{image} cannot be read: {error.strerror}.") from None


async def make_and_save(client: GatewayClient, task: Task, target: Path) -> int:
    """Follows *task* to its end and saves its video as *target*, whose absolute path is printed last."""
    from sora_gateway.cli.follow import follow
    from sora_gateway.client import Unreachable

    print(task.video_id, flush=True)
    end = await follow(client, task)
    if end.status != "completed":
        return 1
    try:
        await client.download(task.video_id, target)
    except Unreachable as error:
        raise StartupError(f"The file of {task.video_id} could not be fetched: {error}.") from None
    _say_where(target)
    return 0


def _say_where(target: Path) -> None:
    print(target.resolve())


def check_target(target: Path) -> None:
    """Before anything is paid for. Raises StartupError when *target* cannot be written."""
    directory = target.resolve().parent
    if target.is_dir() or not directory.is_dir() or not os.access(directory, os.W_OK):
        raise StartupError(f"{target} cannot be written.")


def _watch(arguments: argparse.Namespace) -> int:
    import asyncio

    return asyncio.run(_follow(connect(arguments), None if arguments.all else arguments.id))


async def _follow(client: GatewayClient, video_id: str | None) -> int:
    from sora_gateway.cli.follow import follow, follow_all
    from sora_gateway.client import Unreachable

    async with client:
        if video_id is None:
            return await follow_all(client)
        try:
            task = await client.get(video_id)
        except Unreachable as error:
            raise StartupError(f"The gateway at {client.base} cannot be reached: {error}.") from None
        return 0 if (await follow(client, task)).status == "completed" else 1
