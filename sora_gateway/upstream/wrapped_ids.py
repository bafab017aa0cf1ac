"""LiteLLM's ids: ``video_`` and, in base64, a provider, a model and the provider's own id.

The answer to a create names the model; the answers to looks at the same video leave it out.
"""

from __future__ import annotations

import base64
import re

_PREFIX = "video_"
_WRAPPED = re.compile(r"(litellm:custom_llm_provider:[^;]*;)model_id:[^;]*;(video_id:.+)")


def without_model(external_id: str) -> str:
    """What two of LiteLLM's ids of one video have in common; any other server's id as it is."""
    if not external_id.startswith(_PREFIX):
        return external_id
    try:
        text = base64.b64decode(external_id.removeprefix(_PREFIX), validate=True).decode()
    except ValueError:
        return external_id
    found = _WRAPPED.fullmatch(text)
    return external_id if found is None else found[1] + found[2]
