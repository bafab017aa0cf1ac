"""What is known of servers that speak ``/v1/videos``: their divergences as data.

A new server is a new entry here, about ten lines; a new field only when two servers differ in something that
the adapter does. ``tests/profile_fakes`` has a server for each entry that differs as the real one does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sora_gateway.core.operation import Operation


@dataclass(frozen=True, slots=True)
class Profile:
    """One server's habits. The defaults are OpenAI's."""

    servers: str = ""
    """Which servers it is for, in a few words."""
    videos_path: str = "/videos"
    """Where videos are made and looked at, below the base."""
    auth_scheme: Literal["bearer", "raw"] = "bearer"
    """``Authorization: Bearer KEY`` or ``Authorization: KEY``."""
    create_encoding: Literal["json", "multipart", "auto"] = "auto"
    """``auto``: JSON without an image, multipart with one."""
    duration_field: str = "seconds"
    duration_type: Literal["string", "integer"] = "string"
    image_field: str = "input_reference"
    """Name of the file part, or of the field in JSON."""
    image_in_json: Literal["object", "text"] = "object"
    """``{"image_url": "data:..."}``, or the ``data:`` address itself."""
    remix_names_model: bool = False
    """Whether a remix says again which model it is for."""
    id_paths: tuple[str, ...] = ("id",)
    """Where an object carries its id; dots go into nested objects."""
    progress_scale: float = 1.0
    """Factor from its progress to percent: 100 for a server that counts from 0 to 1, 0 for one that says nothing
    between the beginning and the end."""
    content_via: Literal["endpoint", "url_first", "url"] = "endpoint"
    """``url_first``: the address in the object, if there is one, before ``/videos/{id}/content``; ``url``: only
    that address, for there is no such route."""
    content_not_yet: frozenset[int] = frozenset({404, 409, 425})
    """Statuses of the content endpoint that mean "still at it"."""
    variant_param: Literal["send", "omit"] = "send"
    """``omit``: the server knows no ``variant``; only the video can be had."""
    delete_cancels: bool = False
    """Whether DELETE stops a running job. Where it only forgets the job, it must never be sent."""
    rejected_before_work: frozenset[int] = frozenset()
    """Statuses of a create that provably precede any charge (429 always does)."""
    operations: frozenset[Operation] = frozenset(Operation)
    """What it can be asked to make; always a create. Anything else is refused before it costs something."""
    characters: bool = True
    """Whether characters can be made there, and appear in a create."""
    listing: Literal["none", "stale", "live"] = "none"
    """Whether ``GET /videos`` lists all jobs of the account; ``stale``: with what the last single look at each said."""
    idempotency_header: str = ""
    """Name of the header by which a create that is sent again is known and answered with its first job."""
    create_headers: tuple[tuple[str, str], ...] = ()
    """Headers of everything that is paid for, by name and value."""
    on_ambiguous: Literal["hold", "resubmit_if_absent"] = "hold"
    """What becomes of a create that nobody can find. ``resubmit_if_absent`` is only for a server whose creates cost
    nothing and whose list is complete: there even a job that it had taken and lost is sent again."""
    min_poll_interval: float = 2.0
    """Seconds below which polling is pointless."""


_CREATE_ONLY = frozenset({Operation.CREATE})
_SAID_IN_ANY_WAY = frozenset({400, 404, 409, 425})

_NEW_API = Profile(
    "new-api and its many forks (most Chinese relays), `/v1/videos`",
    id_paths=("id", "task_id"),
    # metadata.url is the provider's own; its content route stops after a minute, and goes on where a Range says.
    content_via="url_first",
    content_not_yet=_SAID_IN_ANY_WAY,
    variant_param="omit",
    # It has a remix route, but only for channels of Sora, which are gone; the others answer it with a 500.
    operations=_CREATE_ONLY,
    characters=False,
    # Looks are answered from its database, which it fills about that often.
    min_poll_interval=15.0,
)
_TOKENS_POOL = Profile(
    "Tokens-Pool (`sora_video2`), key as `Bearer KEY`; base_url ends in `/sora/v1`",
    duration_field="duration",
    duration_type="integer",
    image_field="input_reference[]",
    remix_names_model=True,
    content_via="url_first",
    content_not_yet=_SAID_IN_ANY_WAY,
    variant_param="omit",
    operations=frozenset({Operation.CREATE, Operation.REMIX}),
    characters=False,
    min_poll_interval=5.0,
)

PROFILES: dict[str, Profile] = {
    "generic": Profile(
        "a server that nobody has described: asks for nothing unusual and takes every known answer",
        id_paths=("id", "task_id", "video_id", "data.task_id", "data.id"),
        content_via="url_first",
        # new-api: 400 "Task is not completed yet".
        content_not_yet=_SAID_IN_ANY_WAY,
        # SGLang answers variant=video with 404; vLLM-Omni ignores it and sends the video.
        variant_param="omit",
        # vLLM-Omni, SGLang and new-api have nothing else; a server that has is for a profile to name.
        operations=_CREATE_ONLY,
        characters=False,
    ),
    "openai": Profile("servers that follow OpenAI's API to the letter, stills included", listing="live"),
    "vllm-omni": Profile(
        "vLLM-Omni 0.30",
        # Its form parser refuses JSON.
        create_encoding="multipart",
        # 0, then 100.
        progress_scale=0,
        variant_param="omit",
        # The only server of this family whose DELETE stops the work; 409 is "not yet".
        delete_cancels=True,
        operations=_CREATE_ONLY,
        characters=False,
        listing="live",
        # It works for nothing, tells every prompt, and forgets all jobs at every restart.
        on_ambiguous="resubmit_if_absent",
    ),
    "sglang": Profile(
        "SGLang diffusion 0.5.23",
        duration_type="integer",
        # What it has uploaded somewhere its content route refuses with "Please use the cloud URL".
        content_via="url_first",
        variant_param="omit",
        operations=_CREATE_ONLY,
        characters=False,
        listing="live",
    ),
    "litellm": Profile(
        "LiteLLM's proxy 1.106",
        # By itself it pays up to three times for an answer that it has lost.
        create_headers=(("x-litellm-num-retries", "0"),),
        # Its providers' refusals pass through.
        content_not_yet=_SAID_IN_ANY_WAY,
        variant_param="omit",
        # It has routes for more; the providers that answered them are gone.
        operations=_CREATE_ONLY,
        characters=False,
    ),
    "new-api": _NEW_API,
    "new-api-legacy": replace(
        _NEW_API,
        servers="older builds of new-api, `/v1/video/generations`",
        videos_path="/video/generations",
        create_encoding="json",
        duration_field="duration",
        duration_type="integer",
        image_field="image",
        image_in_json="text",
        id_paths=("task_id", "data.task_id", "id"),
        content_via="url",
    ),
    "tokens-pool": _TOKENS_POOL,
    "tokens-pool-raw": replace(
        _TOKENS_POOL,
        servers="the same, key without `Bearer`, as its older versions want it",
        auth_scheme="raw",
    ),
    "inworld": Profile(
        "Inworld's router, and others that honour `Idempotency-Key`",
        create_encoding="json",
        # Signed for an hour, and signed anew at every look.
        content_via="url",
        variant_param="omit",
        operations=_CREATE_ONLY,
        characters=False,
        listing="live",
        idempotency_header="Idempotency-Key",
        min_poll_interval=10.0,
    ),
    "simulator": Profile(
        "`sora-gateway simulate` on a port", delete_cancels=True, listing="live", min_poll_interval=0.5
    ),
}
