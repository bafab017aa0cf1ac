"""Which requests with a cookie are taken for our own page's, as a table."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from sora_gateway.http.origin import is_cross_origin

COOKIE = ("cookie", "session=abc")
KEY = ("authorization", "Bearer sgw_abc")
HOST = ("host", "gateway.test:8000")


def origin(value: str) -> tuple[str, str]:
    return ("origin", value)


def site(value: str) -> tuple[str, str]:
    return ("sec-fetch-site", value)


OURS = origin("http://gateway.test:8000")
THEIRS = origin("https://evil.test")

ALLOWED = {
    "our page, by fetch metadata": [COOKIE, site("same-origin")],
    "typed by the user": [COOKIE, site("none")],
    "fetch metadata is believed before the Origin": [COOKIE, site("same-origin"), THEIRS],
    "our page, by Origin": [COOKIE, OURS],
    "our page in capitals": [COOKIE, origin("http://GATEWAY.test:8000")],
    "a program with a key": [KEY],
    "a program with a key on another site": [KEY, THEIRS, site("cross-site")],
    "a key beside a cookie": [KEY, COOKIE, THEIRS],
    "nobody": [],
    "nobody, from elsewhere": [THEIRS, site("cross-site")],
}
REFUSED = {
    "another site": [COOKIE, site("cross-site")],
    "another port or subdomain": [COOKIE, site("same-site")],
    "another site with a forged Origin": [COOKIE, site("cross-site"), OURS],
    "a value nobody knows": [COOKIE, site("sideways")],
    "an empty value": [COOKIE, site("")],
    "another site, by Origin": [COOKIE, THEIRS],
    "another port, by Origin": [COOKIE, origin("http://gateway.test:9000")],
    "no port": [COOKIE, origin("http://gateway.test")],
    "our name as a prefix": [COOKIE, origin("http://gateway.test:8000.evil.test")],
    "our name as a suffix": [COOKIE, origin("http://evil-gateway.test:8000")],
    "our name as a user": [COOKIE, origin("http://gateway.test:8000@evil.test")],
    "a user at our name": [COOKIE, origin("http://evil@gateway.test:8000")],
    "a sandboxed page": [COOKIE, origin("null")],
    "an empty Origin": [COOKIE, origin("")],
    "a browser extension": [COOKIE, origin("chrome-extension://gateway.test:8000")],
    "two Origins": [COOKIE, OURS, THEIRS],
    "a broken Origin": [COOKIE, origin("http://[gateway.test:8000")],
    "neither sign": [COOKIE],
}


def headers(pairs: list[tuple[str, str]]) -> Headers:
    return Headers(raw=[(name.encode(), value.encode()) for name, value in [HOST, *pairs]])


@pytest.mark.parametrize("case", ALLOWED)
def test_allowed(case: str) -> None:
    assert not is_cross_origin(headers(ALLOWED[case]))


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    assert is_cross_origin(headers(REFUSED[case]))


@pytest.mark.parametrize(
    ("origin_value", "host"),
    [
        ("https://gateway.test", "gateway.test"),
        ("https://gateway.test", "gateway.test:443"),
        ("http://gateway.test", "gateway.test:80"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_a_default_port_may_be_left_out_on_either_side(origin_value: str, host: str) -> None:
    given = [("cookie", "a=b"), ("origin", origin_value), ("host", host)]
    assert not is_cross_origin(Headers(raw=[(name.encode(), value.encode()) for name, value in given]))


def test_the_default_port_of_the_other_scheme_is_another_place() -> None:
    given = [("cookie", "a=b"), ("origin", "https://gateway.test"), ("host", "gateway.test:80")]
    assert is_cross_origin(Headers(raw=[(name.encode(), value.encode()) for name, value in given]))
