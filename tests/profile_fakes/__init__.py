"""A server per profile, each differing from OpenAI's API where the real one does.

``FAKES`` maps a profile to what makes its server; ``serving_fake`` serves one on a real socket. What they say is in
``tests/golden``, as documentation and sources have it; nothing survives the process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.profile_fakes.core import Fake
from tests.profile_fakes.inworld import Inworld
from tests.profile_fakes.litellm import LiteLLM
from tests.profile_fakes.new_api import NewAPI, NewAPILegacy
from tests.profile_fakes.sglang import SGLang
from tests.profile_fakes.tokens_pool import TokensPool, TokensPoolRaw
from tests.profile_fakes.vllm_omni import VLLMOmni
from tests.servers import serving

FAKES: dict[str, Callable[[str], Fake]] = {
    "vllm-omni": VLLMOmni,
    "sglang": SGLang,
    "litellm": LiteLLM,
    "new-api": NewAPI,
    "new-api-legacy": NewAPILegacy,
    "tokens-pool": TokensPool,
    "tokens-pool-raw": TokensPoolRaw,
    "inworld": Inworld,
}
"""Profile -> from the one key that it takes to the server."""


@asynccontextmanager
async def serving_fake(profile: str, key: str) -> AsyncIterator[tuple[Fake, str]]:
    """The profile's server and its base URL, as ``base_url`` in the configuration has it."""
    fake = FAKES[profile](key)
    async with serving(fake.app()) as url:
        yield fake, url + fake.base
