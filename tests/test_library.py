"""The library of saved images: files under names of ours, rows in the order of saving, and nothing in between."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.asset import StoredFile
from sora_gateway.core.ids import time_ordered
from sora_gateway.core.principal import Principal
from sora_gateway.core.reference import Library, SavedImage, has_controls
from sora_gateway.errors import Conflict, NotFound, StorageFailed, StorageFull
from sora_gateway.media.library import OPENED_AT_ONCE, ReferenceLibrary
from sora_gateway.store import Store
from sora_gateway.store.reference_images import Page
from tests.stores import ADA, BEN, NOW, ROOT, VERA, open_store

IMAGE = "ref_" + "0" * 30 + "ab"
OTHER = "ref_" + "1" * 30 + "cd"


@pytest.fixture
def library(tmp_path: Path) -> ReferenceLibrary:
    return ReferenceLibrary(tmp_path / "references")


def files_in(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


async def read(library: ReferenceLibrary, stored: str) -> bytes:
    async with library.opened(stored) as data:
        return data


# --- files -------------------------------------------------------------------------------------------


async def test_a_stored_image_has_its_size_and_hash_and_a_name_of_ours(library: ReferenceLibrary) -> None:
    stored = await library.put(IMAGE, b"pixels", "image/png")
    assert stored == StoredFile(
        "reference", f"ab/{IMAGE}.png", "image/png", 6, hashlib.sha256(b"pixels").hexdigest()
    )
    assert await read(library, stored.path) == b"pixels"
    path = library.resolve(stored.path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parents[1].stat().st_mode & 0o777 == 0o700


async def test_only_few_images_are_in_memory_at_once(library: ReferenceLibrary) -> None:
    stored = await library.put(IMAGE, b"pixels", "image/png")
    done, inside = asyncio.Event(), 0

    async def use() -> None:
        nonlocal inside
        async with library.opened(stored.path) as data:
            assert data == b"pixels"
            inside += 1
            await done.wait()

    users = [asyncio.create_task(use()) for _ in range(OPENED_AT_ONCE + 3)]
    while inside < OPENED_AT_ONCE:  # noqa: ASYNC110  # nothing tells that a file was read
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    assert inside == OPENED_AT_ONCE
    done.set()
    await asyncio.gather(*users)
    assert inside == OPENED_AT_ONCE + 3


async def test_a_part_is_nothing_that_anybody_can_read(library: ReferenceLibrary, tmp_path: Path) -> None:
    directory = tmp_path / "references" / "ab"
    directory.mkdir()
    (directory / f"{IMAGE}.part").write_bytes(b"half")
    for suffix in ("part", "png"):
        with pytest.raises(FileNotFoundError):
            library.resolve(f"ab/{IMAGE}.{suffix}")


@pytest.mark.parametrize(
    "image_id", ["", "ref_", "../../etc", "ref_../../etc/passwd", IMAGE.upper(), IMAGE + "0", IMAGE + "\n"]
)
async def test_what_is_no_image_id_never_becomes_a_path(
    library: ReferenceLibrary, image_id: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="not an image of ours"):
        await library.put(image_id, b"pixels", "image/png")
    assert files_in(tmp_path) == set()


async def test_only_images_are_stored(library: ReferenceLibrary, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not an image of ours"):
        await library.put(IMAGE, b"<svg/>", "image/svg+xml")
    assert files_in(tmp_path) == set()


@given(path=st.one_of(st.text(), st.sampled_from(["..", "/etc/passwd", f"ab/{OTHER}.png", f"ab/{IMAGE}"])))
def test_no_path_from_outside_is_resolved(path: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    library = ReferenceLibrary(tmp_path_factory.getbasetemp() / "outside")
    with pytest.raises(FileNotFoundError):
        library.resolve(path)


async def test_symbolic_links_are_not_followed(library: ReferenceLibrary, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    stored = await library.put(IMAGE, b"pixels", "image/png")
    library.resolve(stored.path).unlink()
    (tmp_path / "references" / stored.path).symlink_to(secret)
    with pytest.raises(FileNotFoundError):
        await read(library, stored.path)
    await library.delete(stored.path)
    assert await library.sweep(set()) == [stored.path]

    (tmp_path / "references" / "ab" / f"{IMAGE}.part").symlink_to(secret)
    with pytest.raises(StorageFailed):
        await library.put(IMAGE, b"pixels", "image/png")

    (tmp_path / "references" / "cd").symlink_to(tmp_path)
    with pytest.raises(StorageFailed):
        await library.put(OTHER, b"pixels", "image/png")
    assert await library.sweep(set()) == []
    assert secret.read_text() == "not yours"


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of this process gets larger than *size* bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


async def test_what_could_not_be_written_leaves_nothing(library: ReferenceLibrary, tmp_path: Path) -> None:
    with files_up_to(1000), pytest.raises(StorageFailed, match="nothing was kept"):
        await library.put(IMAGE, b"p" * 2000, "image/jpeg")
    assert files_in(tmp_path) == set()


async def test_a_full_disk_is_said_so(
    library: ReferenceLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sora_gateway.media.library.sync_directory", full)
    with pytest.raises(StorageFull, match="disk is full"):
        await library.put(IMAGE, b"pixels", "image/png")
    assert files_in(tmp_path) == set()
    assert library.free_bytes() > 0


async def test_deleting_takes_one_image_and_may_be_repeated(library: ReferenceLibrary) -> None:
    mine = await library.put(IMAGE, b"pixels", "image/png")
    other = await library.put(OTHER, b"pixels", "image/webp")
    await library.delete(mine.path)
    await library.delete(mine.path)
    with pytest.raises(FileNotFoundError):
        await read(library, mine.path)
    assert await read(library, other.path) == b"pixels"


async def test_a_sweep_takes_what_no_row_knows_and_leaves_strangers_alone(
    library: ReferenceLibrary, tmp_path: Path
) -> None:
    kept = await library.put(IMAGE, b"pixels", "image/png")
    orphan = await library.put(OTHER, b"pixels", "image/jpeg")
    directory = tmp_path / "references" / "cd"
    for stranger in ("notes.txt", f"{IMAGE}.png", f"{OTHER}.svg"):
        (directory / stranger).write_text("mine")
    (directory / f"{OTHER}.part").write_bytes(b"half")
    assert sorted(await library.sweep({kept.path})) == [orphan.path, f"cd/{OTHER}.part"]
    assert await read(library, kept.path) == b"pixels"
    assert sorted(os.listdir(directory)) == sorted(["notes.txt", f"{IMAGE}.png", f"{OTHER}.svg"])


# --- names -------------------------------------------------------------------------------------------


def test_names_of_every_script_are_fine_and_what_changes_how_they_are_shown_is_not() -> None:
    assert not [
        name for name in ("lighthouse.png", "灯塔　🧑‍🚀", "منارة", "C:\\cat", "<b>", "") if has_controls(name)
    ]
    for name in ("a\r\nb", "a\0", "gpj\u202e.exe", "\u2066x", "a\u2028b", "\x9b1m", "\x1b[1m"):
        assert has_controls(name)


# --- rows --------------------------------------------------------------------------------------------


def an_image(number: int = 1, **facts: object) -> SavedImage:
    """The *number*-th image, saved in that second."""
    image_id = time_ordered("ref", NOW + number, f"{number:032x}")
    image = SavedImage(
        image_id, ADA.user_id, ADA.email, "personal", f"image {number}", f"ab/{image_id}.png", "image/png",
        64, 48, 1000, f"{number:064x}", NOW + number,
    )  # fmt: skip
    return replace(image, **facts)  # type: ignore[arg-type]


def bens(number: int, **facts: object) -> SavedImage:
    return an_image(number, owner=BEN.user_id, owner_email=BEN.email, **facts)


async def names(store: Store, principal: Principal, library: Library | None = None) -> list[str]:
    images, _ = await store.reference_page(principal, Page(library=library))
    return [image.name for image in images]


async def test_a_saved_image_is_what_was_saved(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert await store.add_reference(an_image(), limit=0) == an_image()
    async with open_store(tmp_path) as store:
        assert await store.reference(an_image().id, ADA) == an_image()
        assert await store.reference_paths() == {an_image().path}


async def test_the_same_bytes_in_the_same_library_of_the_same_person_are_one_image(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        first = await store.add_reference(an_image(1, sha256="0" * 64), limit=0)
        assert await store.add_reference(an_image(2, sha256="0" * 64), limit=0) == first
        for other in (an_image(3, sha256="0" * 64, library="team"), bens(4, sha256="0" * 64)):
            assert await store.add_reference(other, limit=0) == other
        assert await names(store, ROOT) == ["image 4", "image 3", "image 1"]


async def test_who_has_as_many_as_are_allowed_saves_no_more_until_one_is_gone(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.add_reference(an_image(1), limit=2)
        await store.add_reference(an_image(2, library="team"), limit=2)
        with pytest.raises(Conflict, match="You have saved 2 images, and 2 are allowed; delete one first"):
            await store.add_reference(an_image(3), limit=2)
        # What is there already is no new image, and other people have a limit of their own.
        assert (await store.add_reference(an_image(1), limit=2)).name == "image 1"
        await store.add_reference(bens(4), limit=2)
        await store.remove_reference(an_image(1).id)
        await store.add_reference(an_image(3), limit=2)
        assert await names(store, ADA) == ["image 3", "image 2"]


async def test_everybody_sees_the_teams_and_their_own_and_an_administrator_all(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        hers, teams, his = an_image(1), an_image(2, library="team"), bens(3)
        for image in (hers, teams, his):
            await store.add_reference(image, limit=0)
        seen = {ADA: [teams, hers], BEN: [his, teams], VERA: [teams], ROOT: [his, teams, hers]}
        for who, images in seen.items():
            assert await names(store, who) == [image.name for image in images]
            for image in (hers, teams, his):
                if image in images:
                    assert await store.reference(image.id, who) == image
                else:
                    with pytest.raises(NotFound):
                        await store.reference(image.id, who)
        assert await names(store, BEN, library="team") == ["image 2"]
        assert await names(store, BEN, library="personal") == ["image 3"]


async def test_who_saved_it_and_administrators_may_remove_it(tmp_path: Path) -> None:
    image = an_image(library="team")
    assert [image.deletable_by(who) for who in (ADA, BEN, VERA, ROOT)] == [True, False, False, True]
    assert not image.deletable_by(replace(ADA, role="viewer"))
    async with open_store(tmp_path) as store:
        await store.add_reference(image, limit=0)
        await store.remove_reference(image.id)
        with pytest.raises(NotFound):
            await store.remove_reference(image.id)


async def test_pages_neither_repeat_nor_lose_an_image_also_when_the_last_one_was_deleted(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path) as store:
        # All of one moment: only the id tells them apart.
        images = [an_image(number, created_at=NOW) for number in range(7)]
        for image in images:
            await store.add_reference(image, limit=0)
        seen: list[str] = []
        after, more = None, True
        while more:
            page, more = await store.reference_page(ADA, Page(limit=3, after=after))
            seen += [image.name for image in page]
            after = page[-1].id
            await store.remove_reference(after)
        assert seen == [f"image {number}" for number in reversed(range(7))]
