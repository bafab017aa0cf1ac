"""What is known of servers that speak ``/v1/videos``: their divergences as data.

A new server is a new entry here; a new field only when two servers differ in something that the adapter does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sora_gateway.core.operation import Operation


@dataclass(frozen=True, slots=True)
class Profile:
    """One server's habits. The defaults are OpenAI's."""

    auth_scheme: Literal["bearer", "raw"] = "bearer"
    """``Authorization: Bearer KEY`` or ``Authorization: KEY``."""
    create_encoding: Literal["json", "multipart", "auto"] = "auto"
    """``auto``: JSON without an image, multipart with one."""
    duration_field: str = "seconds"
    duration_type: Literal["string", "integer"] = "string"
    image_field: str = "input_reference"
    """Name of the file part, or in JSON of the object with ``image_url``."""
    id_paths: tuple[str, ...] = ("id",)
    """Where an object carries its id; dots go into nested objects."""
    progress_scale: float = 1.0
    """Factor from its progress to percent: 100 for a server that counts from 0 to 1."""
    content_via: Literal["endpoint", "url_first"] = "endpoint"
    """``url_first``: the address in the object, if there is one, before ``/videos/{id}/content``."""
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
    min_poll_interval: float = 2.0
    """Seconds below which polling is pointless."""


PROFILES: dict[str, Profile] = {
    "openai": Profile(listing="live"),
    # For a server that nobody has described: asks for nothing unusual and takes every known answer.
    "generic": Profile(
        id_paths=("id", "task_id", "video_id", "data.id", "data.task_id"),
        content_via="url_first",
        # new-api: 400 "Task is not completed yet".
        content_not_yet=frozenset({400, 404, 409, 425}),
        # SGLang answers variant=video with 404; vLLM-Omni ignores it and sends the video.
        variant_param="omit",
        # vLLM-Omni, SGLang and new-api have nothing else; a server that has is for a profile to name.
        operations=frozenset({Operation.CREATE}),
        characters=False,
    ),
    "simulator": Profile(delete_cancels=True, listing="live", min_poll_interval=0.5),
}
