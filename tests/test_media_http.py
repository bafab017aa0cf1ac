"""Files over HTTP: ranges, conditional requests, names, and the page's own files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from sora_gateway.http.media import file_response
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.static_files import MEDIA_TYPES, Page
from sora_gateway.places import shipped
from tests.examples import examples
from tests.http_calls import application, client_of

BYTES = bytes(range(256)) * 4000  # about a megabyte: more than one chunk
SHA256 = hashlib.sha256(BYTES).hexdigest()
ETAG = f'"{SHA256}"'


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(BYTES)
    return path


def gateway(path: Path) -> Any:
    async def content(call: Call) -> Response:
        return file_response(call.request, path, "video/mp4", SHA256, call.request.query_params.get("name"))

    return application(
        [Endpoint(method="GET", path="/content", handler=content, summary="", access=Access.PUBLIC, tag="t")]
    )


async def get(path: Path, method: str = "GET", query: str = "", **headers: str) -> httpx.Response:
    async with client_of(gateway(path), **headers) as client:
        return await client.request(method, f"/content{query}")


# --- whole files ---------------------------------------------------------------------------------------


async def test_a_file_is_served_whole_with_its_hash_as_etag(video: Path) -> None:
    answer = await get(video)
    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(BYTES))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == ETAG


async def test_a_file_opened_on_its_own_can_run_nothing_and_stays_in_private_caches(video: Path) -> None:
    headers = (await get(video)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["content-security-policy"].endswith("sandbox")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "private, no-cache"


async def test_head_says_everything_and_sends_nothing(video: Path) -> None:
    answer = await get(video, "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(BYTES))


async def test_a_file_that_has_gone_is_410(tmp_path: Path) -> None:
    answer = await get(tmp_path / "nothing.mp4")
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "gone")


# --- conditional requests ------------------------------------------------------------------------------


@pytest.mark.parametrize("tags", [ETAG, f"W/{ETAG}", f'"other", {ETAG}', "*"])
async def test_a_known_file_is_304_without_a_body(video: Path, tags: str) -> None:
    answer = await get(video, if_none_match=tags)
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == ETAG


@pytest.mark.parametrize("tags", ['"other"', SHA256, ""])
async def test_an_unknown_file_is_sent(video: Path, tags: str) -> None:
    assert (await get(video, if_none_match=tags)).status_code == 200


async def test_a_range_of_another_version_gets_the_whole_file(video: Path) -> None:
    resumed = await get(video, range="bytes=100-", if_range=ETAG)
    changed = await get(video, range="bytes=100-", if_range='"other"')
    assert (resumed.status_code, changed.status_code) == (206, 200)


# --- ranges --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=1000000-", 1_000_000, len(BYTES)),
        ("bytes=-5", len(BYTES) - 5, len(BYTES)),
        ("bytes=-99999999", 0, len(BYTES)),
        ("bytes=0-99999999", 0, len(BYTES)),
        ("Bytes = 1-2", 1, 3),
    ],
)
async def test_one_range_is_sent(video: Path, asked: str, start: int, end: int) -> None:
    answer = await get(video, range=asked)
    assert (answer.status_code, answer.content) == (206, BYTES[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(BYTES)}"


async def test_a_few_ranges_come_as_parts(video: Path) -> None:
    answer = await get(video, range="bytes=0-9, 100-109")
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")
    assert BYTES[:10] in answer.content
    assert BYTES[100:110] in answer.content


@pytest.mark.parametrize("asked", [f"bytes={len(BYTES)}-", "bytes=99999999-999999999", "bytes=-0"])
async def test_a_range_beyond_the_end_is_416_in_our_envelope(video: Path, asked: str) -> None:
    answer = await get(video, range=asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(BYTES)}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=" + ",".join(f"{n * 10}-{n * 10 + 1}" for n in range(1000)),
        "bytes=" + "0-," * 8 + "0-",
        "bytes=5-3",
        "bytes=a-b",
        "bytes=",
        "bytes",
        "lines=1-2",
        "bytes=0-" + "9" * 5000,
    ],
)
async def test_a_range_that_makes_no_sense_or_asks_for_too_much_is_ignored(video: Path, asked: str) -> None:
    answer = await get(video, range=asked)
    assert (answer.status_code, len(answer.content)) == (200, len(BYTES))


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(asked=st.text(st.sampled_from("0123456789-,= bytes"), max_size=20).map(lambda tail: "bytes=" + tail))
async def test_no_range_header_is_an_error_of_ours(video: Path, asked: str) -> None:
    answer = await get(video, range=asked)
    assert answer.status_code in (200, 206, 416)


# --- names ---------------------------------------------------------------------------------------------


async def test_a_download_has_a_name_and_a_view_has_none(video: Path) -> None:
    assert "content-disposition" not in (await get(video)).headers
    named = await get(video, query="?name=video_1.mp4")
    assert named.headers["content-disposition"] == 'attachment; filename="video_1.mp4"'


@pytest.mark.parametrize(
    "name", ["猫.mp4", 'a"b.mp4', "a\r\nset-cookie: x.mp4", "../../x.mp4", "\u202egpj.mp4"]
)
async def test_an_odd_name_is_encoded(video: Path, name: str) -> None:
    answer = await get(video, query=str(httpx.URL("", params={"name": name})))
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; filename")
    assert disposition.isascii()
    assert "set-cookie" not in answer.headers
    assert "\r" not in disposition


# --- the page's own files ------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Any:
    root = tmp_path / "static"
    (root / "js").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html>")
    (root / "js" / "main.js").write_text("export {};")
    (root / ".secret").write_text("no")
    (root / "notes.py").write_text("no")
    (tmp_path / "outside.txt").write_text("no")
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    return application([], static=Page(root))


async def test_the_root_is_the_page(site: Any) -> None:
    async with client_of(site) as client:
        answer = await client.get("/")
    assert answer.text == "<!doctype html>"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_a_known_file_of_the_page_is_304(site: Any) -> None:
    async with client_of(site) as client:
        etag = (await client.get("/js/main.js")).headers["etag"]
        assert (await client.get("/js/main.js", headers={"if-none-match": etag})).status_code == 304


async def test_scripts_have_the_type_that_browsers_run_whatever_the_machine_thinks(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mimetypes.guess_type", lambda *_, **__: ("text/plain", None))
    async with client_of(site) as client:
        headers = (await client.get("/js/main.js")).headers
    assert headers["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    ["/.secret", "/notes.py", "/link.txt", "/../outside.txt", "/%2e%2e/outside.txt", "/js/..%2f..%2foutside.txt",
     "//etc/passwd", "/js", "/nothing", "/a%00b", "/" + "x" * 5000],
)  # fmt: skip
async def test_nothing_else_is_published(site: Any, path: str) -> None:
    async with client_of(site) as client:
        answer = await client.get(httpx.URL("http://gateway.test", raw_path=path.encode()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_a_wrong_method_is_405_where_there_is_a_file_and_404_elsewhere(site: Any) -> None:
    async with client_of(site) as client:
        statuses = [(await client.request(method, path)).status_code for method, path in (
            ("POST", "/"), ("TRACE", "/"), ("DELETE", "/js/main.js"), ("POST", "/api/nothing"),
        )]  # fmt: skip
    assert statuses == [405, 405, 405, 404]


def test_every_file_of_our_page_is_of_a_published_type() -> None:
    files = [path for path in shipped("static").rglob("*") if path.is_file() and path.name[0] != "."]
    strangers = {path.suffix for path in files} - set(MEDIA_TYPES)
    assert files
    assert strangers <= {".md", ".py", ""}
