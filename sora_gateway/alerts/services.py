"""How each service wants to be told, and what its answer means.

Sources: "Sending messages using incoming webhooks" and "Formatting text for app surfaces" (docs.slack.dev); "Custom bot
usage guide" (open.feishu.cn); "Custom robot access" and "Custom robot security settings" (open.dingtalk.com); "Publish
as JSON" and "Access tokens" (docs.ntfy.sh); standardwebhooks.com for ``json``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote_plus, urlsplit, urlunsplit

from sora_gateway.alerts.wording import NAME, Text
from sora_gateway.alerts_settings import Alert
from sora_gateway.core.alerts import Message
from sora_gateway.core.webhook_signature import signature
from sora_gateway.core.wire import iso
from sora_gateway.upstream.client import Request

_JSON = {"Content-Type": "application/json; charset=utf-8"}
_HIGH, _DEFAULT = 4, 3
"""Priorities of ntfy: long vibration, and the usual one."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to one destination: its *text*, and the facts for programs; *message* is None for a test."""

    text: Text
    message: Message | None
    gateway: str
    id: str
    at: float
    """Epoch seconds, which some services sign."""


def request_to(destination: Alert, out: Outgoing) -> Request:
    """What is sent."""
    url, secret = destination.url.get_secret_value(), destination.secret.get_secret_value()
    match destination.kind:
        case "slack":
            return _request(url, _slack(out.text))
        case "feishu":
            return _request(url, _feishu(out, secret))
        case "dingtalk":
            body: dict[str, object] = {"msgtype": "text", "text": {"content": out.text.whole}}
            return _request(_dingtalk(url, secret, out.at), body)
        case "ntfy":
            headers = {"Authorization": f"Bearer {secret}"} if secret else {}
            return _request(*_ntfy(url, out.text), headers)
        case "json":
            return _for_programs(url, secret, out)


def refusal(kind: str, body: bytes) -> int | None:
    """The number with which Feishu and DingTalk refuse a message under the status 200; None when they take it."""
    name = {"feishu": "code", "dingtalk": "errcode"}.get(kind)
    if name is None:
        return None
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    code = said.get(name) if isinstance(said, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) and code != 0 else None


# --- bodies ------------------------------------------------------------------------------------------


def _slack(text: Text) -> dict[str, object]:
    # These three are its control characters, and nothing else is to be one.
    escaped = text.whole.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": escaped, "mrkdwn": False}


def _feishu(out: Outgoing, secret: str) -> dict[str, object]:
    body: dict[str, object] = {"msg_type": "text", "content": {"text": out.text.whole}}
    if secret:
        timestamp = str(int(out.at))
        # What is signed is the key, and the message is empty; that is how it is documented.
        sign = _hmac(f"{timestamp}\n{secret}", "")
        body = {"timestamp": timestamp, "sign": sign, **body}
    return body


def _dingtalk(url: str, secret: str, at: float) -> str:
    if not secret:
        return url
    timestamp = str(int(at * 1000))
    sign = quote_plus(_hmac(secret, f"{timestamp}\n{secret}"))
    return f"{url}{'&' if urlsplit(url).query else '?'}timestamp={timestamp}&sign={sign}"


def _ntfy(url: str, text: Text) -> tuple[str, dict[str, object]]:
    # JSON goes to the server's root, with the topic in it; the topic's own address would show it as text.
    parts = urlsplit(url)
    body: dict[str, object] = {
        "topic": parts.path.strip("/"),
        "title": text.title,
        "message": "\n".join(text.lines),
        "priority": _HIGH if text.urgent else _DEFAULT,
        "tags": ["warning" if text.urgent else "information_source"],
    }
    return urlunsplit((parts.scheme, parts.netloc, "/", parts.query, "")), body


def _for_programs(url: str, secret: str, out: Outgoing) -> Request:
    notes = out.message.notes if out.message is not None else ()
    body = _encoded(
        {
            "type": "alert" if out.message is not None else "test",
            "timestamp": iso(out.at),
            "data": {
                "gateway": out.gateway or NAME,
                "title": out.text.title,
                "text": "\n".join(out.text.lines),
                "alerts": [
                    {
                        "phase": note.phase.value,
                        "kind": note.trouble.kind.value,
                        "subject": note.trouble.subject,
                        "cause": note.trouble.cause,
                        "count": note.trouble.count,
                        "since": iso(note.since),
                    }
                    for note in notes
                ],
            },
        }
    )
    headers = dict(_JSON)
    if secret:
        timestamp = str(int(out.at))
        headers |= {
            "webhook-id": out.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(secret, out.id, timestamp, body),
        }
    return Request("POST", url, headers, body)


def _request(url: str, body: dict[str, object], headers: Mapping[str, str] | None = None) -> Request:
    return Request("POST", url, {**_JSON, **(headers or {})}, _encoded(body))


def _encoded(body: dict[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _hmac(key: str, text: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def tokens_in(destination: Alert) -> set[str]:
    """The parts of its address that are credentials by themselves, and its secret."""
    parts = urlsplit(destination.url.get_secret_value())
    values = {value for _, value in parse_qsl(parts.query)}
    return {*parts.path.split("/"), *values, destination.secret.get_secret_value()} - {""}
