"""Addresses of files that work without a login: what they allow, and until when."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer, TimestampSigner

from sora_gateway.errors import StartupError
from sora_gateway.http.signed_urls import UrlSigner
from tests.http_calls import StillClock

SECRET = b"s" * 32
JOB = "video_0123"


def signed(clock: StillClock, secret: bytes = SECRET) -> tuple[UrlSigner, int, str]:
    signer = UrlSigner(secret, clock, lifetime=3600)
    query = parse_qs(urlsplit(signer.sign(JOB, "video")).query)
    return signer, int(query["expires"][0]), query["signature"][0]


def test_an_address_names_the_file_and_its_moment() -> None:
    url = UrlSigner(SECRET, StillClock(1000.0), lifetime=60).sign(JOB, "thumbnail")
    assert url.startswith(f"/api/video/tasks/{JOB}/content?variant=thumbnail&expires=1060&signature=")


def test_it_works_until_its_moment_and_not_after() -> None:
    clock = StillClock(1000.0)
    signer, expires, signature = signed(clock)
    clock.time = expires - 0.001
    assert signer.verify(JOB, "video", expires, signature)
    clock.time = expires
    assert not signer.verify(JOB, "video", expires, signature)


def test_it_is_good_for_nothing_else() -> None:
    signer, expires, signature = signed(StillClock())
    assert not signer.verify(JOB, "thumbnail", expires, signature)
    assert not signer.verify("video_9999", "video", expires, signature)
    assert not signer.verify(JOB, "video", expires + 3600, signature)


@given(st.text(max_size=60))
def test_any_other_signature_is_refused_without_an_error(signature: str) -> None:
    signer, expires, good = signed(StillClock())
    assert signer.verify(JOB, "video", expires, signature) == (signature == good)


def test_a_signature_covers_version_key_method_job_variant_and_moment() -> None:
    _, expires, signature = signed(StillClock())
    ours = Signer(SECRET, salt="sora-gateway.media.v1", key_derivation="hmac", digest_method=hashlib.sha256)
    assert signature == ours.get_signature(f"v1|1|GET|{JOB}|video|{expires}").decode()


def test_another_secret_or_another_purpose_signs_in_vain() -> None:
    signer, expires, _ = signed(StillClock())
    statement = f"v1|1|GET|{JOB}|video|{expires}"
    _, _, foreign = signed(StillClock(), secret=b"t" * 32)
    for forged in (
        foreign,
        Signer(SECRET).get_signature(statement).decode(),
        TimestampSigner(SECRET).sign(statement).decode().rsplit(".", 1)[1],
        Signer(SECRET, salt="sora-gateway.media.v1").get_signature(statement).decode(),
    ):
        assert not signer.verify(JOB, "video", expires, forged)


def test_an_odd_id_stays_one_part_of_the_path() -> None:
    url = UrlSigner(SECRET, StillClock(), lifetime=60).sign("../../x?y", "video")
    assert urlsplit(url).path == "/api/video/tasks/..%2F..%2Fx%3Fy/content"


def test_a_key_that_was_cut_short_is_refused() -> None:
    with pytest.raises(StartupError, match="damaged"):
        UrlSigner(b"", StillClock(), lifetime=60)
