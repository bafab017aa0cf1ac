"""Addresses of files that work without a login: what they allow, and until when."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer, TimestampSigner

from sora_gateway.http.signed_urls import UrlSigner
from sora_gateway.signing_keys import MEDIA, KeyRing
from tests.fakes import CountingEntropy
from tests.http_calls import StillClock
from tests.team import SECRET as PROMPT
from tests.team import client, team

SECRET = b"s" * 43
JOB = "video_0123"
Signed = tuple[UrlSigner, int, str]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


def url_signer(
    directory: Path, clock: StillClock, secret: bytes = SECRET, lifetime: float = 3600
) -> UrlSigner:
    path = directory / secret[:4].decode()
    path.write_bytes(secret)
    return UrlSigner(KeyRing(path, clock, CountingEntropy()).signer(MEDIA), clock, lifetime)


def signed(directory: Path, clock: StillClock, secret: bytes = SECRET) -> Signed:
    signer = url_signer(directory, clock, secret)
    query = parse_qs(urlsplit(signer.sign(JOB, "video")).query)
    return signer, int(query["expires"][0]), query["signature"][0]


def test_an_address_names_the_file_its_moment_and_the_key(directory: Path) -> None:
    url = url_signer(directory, StillClock(1000.0), lifetime=60).sign(JOB, "thumbnail")
    path = f"/api/video/tasks/{JOB}/content"
    assert url.startswith(f"{path}?variant=thumbnail&expires=1060&signedBy=1&signature=")


def test_it_works_until_its_moment_and_not_after(directory: Path) -> None:
    clock = StillClock(1000.0)
    signer, expires, signature = signed(directory, clock)
    clock.time = expires - 0.001
    assert signer.verify(JOB, "video", expires, "1", signature)
    clock.time = expires
    assert not signer.verify(JOB, "video", expires, "1", signature)


def test_it_is_good_for_nothing_else(directory: Path) -> None:
    signer, expires, signature = signed(directory, StillClock())
    assert not signer.verify(JOB, "thumbnail", expires, "1", signature)
    assert not signer.verify("video_9999", "video", expires, "1", signature)
    assert not signer.verify(JOB, "video", expires + 3600, "1", signature)
    assert not signer.verify(JOB, "video", expires, "2", signature)


@given(st.text(max_size=60))
def test_any_other_signature_is_refused_without_an_error(directory: Path, signature: str) -> None:
    signer, expires, good = signed(directory, StillClock())
    assert signer.verify(JOB, "video", expires, "1", signature) == (signature == good)


def test_a_signature_covers_version_key_method_job_variant_and_moment(directory: Path) -> None:
    _, expires, signature = signed(directory, StillClock())
    ours = Signer(SECRET, salt="sora-gateway.media.v1", key_derivation="hmac", digest_method=hashlib.sha256)
    assert signature == ours.get_signature(f"v1|1|GET|{JOB}|video|{expires}").decode()


def test_another_secret_or_another_purpose_signs_in_vain(directory: Path) -> None:
    signer, expires, _ = signed(directory, StillClock())
    statement = f"v1|1|GET|{JOB}|video|{expires}"
    _, _, foreign = signed(directory, StillClock(), secret=b"t" * 43)
    for forged in (
        foreign,
        Signer(SECRET).get_signature(statement).decode(),
        TimestampSigner(SECRET).sign(statement).decode().rsplit(".", 1)[1],
        Signer(SECRET, salt="sora-gateway.media.v1").get_signature(statement).decode(),
    ):
        assert not signer.verify(JOB, "video", expires, "1", forged)


def test_an_odd_id_stays_one_part_of_the_path(directory: Path) -> None:
    url = url_signer(directory, StillClock()).sign("../../x?y", "video")
    assert urlsplit(url).path == "/api/video/tasks/..%2F..%2Fx%3Fy/content"


async def test_a_bad_signature_is_refused_alike_whether_or_not_there_is_such_a_video(tmp_path: Path) -> None:
    """Altered, expired, of another file or another video: 403. Deleted since: 404, though the signature is good."""
    async with team(tmp_path) as all, client(all.gateway) as nobody:
        task, other = await all.video("done"), await all.video("ended")
        url: str = task["videoUrl"]
        assert (await nobody.get(url)).status_code == 200
        bad = [
            url.replace("signature=", "signature=A"),
            url.replace("variant=video", "variant=thumbnail"),
            url.replace("expires=", "expires=1"),
            url.replace("signedBy=1", "signedBy=9"),
            url.replace(task["videoId"], other["videoId"]),
            url.replace(task["videoId"], "video_" + "0" * 32),
            url.replace(task["videoId"], task["externalVideoId"]),
        ]
        told = []
        for address in bad:
            answer = await nobody.get(address)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "invalid_signature"), address
            told.append(answer.json()["error"] | {"requestId": ""})
        assert all_equal(told)
        # Whoever may see it anyway needs no signature; whoever may not is not helped by a good-looking one.
        assert (await all.ann.get(bad[0])).status_code == 200
        assert (await all.bob.get(bad[0])).status_code == 404
        assert (await all.ann.http.delete(f"/api/video/tasks/{task['videoId']}")).status_code == 204
        gone = await nobody.get(url)
        assert (gone.status_code, PROMPT in gone.text) == (404, False)


def all_equal(values: list[dict[str, object]]) -> bool:
    return all(value == values[0] for value in values)
