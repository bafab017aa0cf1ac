"""Whether a request may be another site's doing, in the name of somebody who is signed in here.

Cookies travel with requests that other pages cause, so a cookie counts only together with a sign that our own
page asked. A credential in the Authorization header never travels by itself; where there is one, it is the
only one looked at (the cookie beside it is ignored), so adding the header gains nothing.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def is_cross_origin(headers: Headers) -> bool:
    """For unsafe methods and WebSocket handshakes: True means refuse.

    Browsers that send Fetch Metadata are believed; for the others the Origin must name this host; a cookie
    with neither is refused, because no browser that people use sends one so.
    """
    if "authorization" in headers or "cookie" not in headers:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origins = headers.getlist("origin")
    return len(origins) != 1 or not _same_host(origins[0], headers.get("host", ""))


def is_foreign_stream(headers: Headers) -> bool:
    """For streams, which a browser opens with GET: True means refuse.

    Here neither sign is no reason: older browsers send none with a GET of our own page.
    """
    if "sec-fetch-site" not in headers and "origin" not in headers:
        return False
    return is_cross_origin(headers)


def _same_host(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    port = _DEFAULT_PORTS.get(parts.scheme)
    if port is None or not parts.netloc:  # "null", or a page that no web server sent
        return False
    return parts.netloc.lower().removesuffix(port) == host.lower().removesuffix(port)
