"""Which profile fits a server, told by what it answers for nothing: only GETs, and no guess where one could cost money.

A profile wrongly taken for ``vllm-omni`` would have running jobs stopped and lost ones paid for again, one wrongly
taken for ``inworld`` would have creates sent twice: each needs a proof of its own, and a server without one is
``generic``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sora_gateway.core.job import ExternalId
from sora_gateway.core.observation import Look, LookKind
from sora_gateway.upstream.account import Account, account_of
from sora_gateway.upstream.client import HttpClient, Lost, NotSent, Reply, Request
from sora_gateway.upstream.listing import ListReader
from sora_gateway.upstream.parsing import Object, error_of, first, load_object, parse_look

NOBODYS = ExternalId("video_nobody_has_made")
DEADLINE = 10.0
"""Seconds for each answer; all are asked for at once."""

_PATHS = {
    "list": "/videos?limit=1",
    "models": "/models",
    "look": f"/videos/{NOBODYS}",
    "content": f"/videos/{NOBODYS}/content",
    "character": "/videos/characters/char_nobody_has_made",
    "legacy": f"/video/generations/{NOBODYS}",
}
_OF_NEW_API = ("x-new-api-version", "x-oneapi-request-id")
_NO_SUCH_TASK = "task_not_exist"
_REFUSED = (401, 403)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a server seems to be. *reasons* are clauses that follow a "because"; none holds the server's own words."""

    profiles: tuple[str, ...]
    """Those that fit, best first; ``generic`` when it cannot be told; none when no videos were found there at all."""
    reasons: tuple[str, ...]


async def fitting_profiles(
    client: HttpClient, base_url: str, api_key: str, deadline: float = DEADLINE
) -> Finding:
    """Asks the server at *base_url*, within twice *deadline* seconds, and spends nothing.

    Raises:
        ValueError: as :func:`~sora_gateway.upstream.account.account_of`.
    """
    answers = await _ask(client, account_of(base_url, api_key, "bearer"), deadline)
    found = _judge(answers)
    if not found.profiles and api_key.strip() and answers.refused:
        bare = _judge(await _ask(client, account_of(base_url, api_key, "raw"), deadline))
        if bare.profiles == ("tokens-pool",):
            return Finding(("tokens-pool-raw",), (*bare.reasons, "it takes the key only without Bearer"))
    return found


def knows_no_such_video(reply: Reply, look: Look) -> bool:
    """Whether *reply*, read as *look*, says so of the video, and not, as for any wrong address, of the route."""
    return (
        look.kind is LookKind.MISSING
        and load_object(reply) is not None
        and not look.message.lower().startswith(("http 404", "not found", "invalid url"))
    )


class _Answers:
    """What one server answered, by the names of ``_PATHS``; what it did not answer is not there."""

    def __init__(self, base: str, replies: Mapping[str, Reply]) -> None:
        self._replies = replies
        where = urlsplit(base)
        self.host, self.path = where.hostname or "", where.path
        self.lists = (
            "list" in replies
            and ListReader(id_paths=("id",), progress_scale=1).read(replies["list"]) is not None
        )
        self.refused = any(self._status(name) in _REFUSED for name in ("list", "look"))
        self.error: object = self._body("look").get("error")
        """Of the video that nobody made."""

    def header(self, prefix: str, among: tuple[str, ...] = tuple(_PATHS)) -> bool:
        """Whether one of those answers has a header that begins so."""
        replies = (self._replies[name] for name in among if name in self._replies)
        return any(header.startswith(prefix) for reply in replies for header in reply.headers)

    def owners(self) -> set[str]:
        """Who the models belong to; more than one where a relay has those of several."""
        rows = first(self._body("models"), ("data",))
        return {str(first(row, ("owned_by",))) for row in rows} if isinstance(rows, list) else set()

    def denies(self, name: str) -> bool:
        """Whether the route is there and says that there is no such video."""
        reply = self._replies.get(name)
        return reply is not None and knows_no_such_video(reply, parse_look(reply, NOBODYS, now=0.0))

    def code(self, name: str) -> str:
        return error_of(self._body(name))[0]

    def says_as_much(self, name: str, of: str) -> bool:
        """Whether both were refused in the same words, as by one server about one video."""
        return self._status(name) == self._status(of) and error_of(self._body(name)) == error_of(
            self._body(of)
        )

    def speaks_of_characters(self) -> bool:
        """Whether the route for them is there; a server without it can only repeat the address."""
        message = error_of(self._body("character"))[1].replace(_PATHS["character"], "")
        return self._status("character") == 404 and "character" in message.lower()

    def _status(self, name: str) -> int:
        return self._replies[name].status if name in self._replies else 0

    def _body(self, name: str) -> Object:
        return (load_object(self._replies[name]) if name in self._replies else None) or {}


async def _ask(client: HttpClient, account: Account, deadline: float) -> _Answers:
    async def ask(path: str) -> Reply | None:
        try:
            return await client.send(
                Request("GET", f"{account.base}{path}", account.auth), deadline=deadline, fresh=True
            )
        except (NotSent, Lost):
            return None

    replies = await asyncio.gather(*map(ask, _PATHS.values()))
    known = {name: reply for name, reply in zip(_PATHS, replies, strict=True) if reply is not None}
    return _Answers(account.base, known)


def _judge(answers: _Answers) -> Finding:
    """The first that proves itself; whoever stands in front, a proxy or a relay, before what may stand behind it."""
    for proof in (_litellm, _new_api, _inworld, _vllm_omni, _sglang, _tokens_pool, _openai):
        if (found := proof(answers)) is not None:
            return found
    if answers.lists or answers.denies("look"):
        listing = ("it lists its videos",) if answers.lists else ()
        return Finding(("generic",), (*listing, "nothing that it says belongs to one known server alone"))
    if answers.refused:
        return Finding((), ("it refuses the key, and says nothing else",))
    return Finding((), ("there are no videos at this address",))


def _litellm(answers: _Answers) -> Finding | None:
    # Behind it there may be no provider for this key: whatever it answers, the route is there.
    if answers.header("x-litellm-", among=("list", "look", "content")):
        return Finding(("litellm",), ("its answers carry headers that begin with x-litellm-",))
    return None


def _new_api(answers: _Answers) -> Finding | None:
    signs = [f"its answers carry {header}" for header in _OF_NEW_API if answers.header(header)]
    if _NO_SUCH_TASK in (answers.code("look"), answers.code("legacy")):
        signs.append(f"it says {_NO_SUCH_TASK} of a video that nobody made")
    if not signs:
        return None
    if answers.lists:
        # Whatever stands behind it, it is not that server that we would speak to.
        return Finding(("generic",), (*signs, "it lists its videos, which new-api does not"))
    routes = {"new-api": "look", "new-api-legacy": "legacy"}
    names = tuple(name for name, route in routes.items() if answers.denies(route))
    return Finding(names, tuple(signs)) if names else None


def _inworld(answers: _Answers) -> Finding | None:
    # That it honours Idempotency-Key shows only in a paid create, so the name of the host has to do.
    if answers.lists and (answers.host == "inworld.ai" or answers.host.endswith(".inworld.ai")):
        return Finding(("inworld",), ("it is one of Inworld's hosts", "it lists its videos"))
    return None


def _vllm_omni(answers: _Answers) -> Finding | None:
    # Its errors have the status as a number for their code, which nobody's OpenAI-like ones do.
    if (
        answers.owners() == {"vllm"}
        and answers.lists
        and answers.denies("look")
        and isinstance(answers.error, dict)
        and answers.error.get("code") == 404
    ):
        reasons = ("its models are owned by vllm", "it lists its videos", "its errors are those of vLLM")
        return Finding(("vllm-omni",), reasons)
    return None


def _sglang(answers: _Answers) -> Finding | None:
    if answers.owners() == {"sglang"} and answers.lists and answers.denies("look") and answers.error is None:
        return Finding(("sglang",), ("its models are owned by sglang", "it lists its videos"))
    return None


def _tokens_pool(answers: _Answers) -> Finding | None:
    if (
        answers.path.rstrip("/").endswith("/sora/v1")
        and not answers.lists
        and answers.denies("look")
        and isinstance(answers.error, str)
    ):
        return Finding(
            ("tokens-pool",), ("its address ends in /sora/v1", "its errors are plain text in JSON")
        )
    return None


def _openai(answers: _Answers) -> Finding | None:
    """Whoever keeps to the letter: lists, refuses alike wherever a video is named, and has characters."""
    if (
        answers.lists
        and answers.denies("look")
        and isinstance(answers.error, dict)
        and answers.says_as_much("content", of="look")
        and answers.speaks_of_characters()
    ):
        return Finding(
            ("openai",), ("it lists its videos", "it has characters", "its errors are those of OpenAI")
        )
    return None
