"""``/v1/models``: what can be asked for, in OpenAI's shape. ``/api/models`` says what each can make."""

from __future__ import annotations

from typing import Literal

from sora_gateway.core.catalogue import choose
from sora_gateway.core.views import OpenAIView
from sora_gateway.errors import ModelNotFound
from sora_gateway.http.orders import MAX_MODEL
from sora_gateway.http.routing import Access, Call, Endpoint


class OpenAIModel(OpenAIView):
    """``created`` is 0: nobody knows since when an upstream has had a model. ``owned_by`` is the upstream's name."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str


class OpenAIModelList(OpenAIView):
    object: Literal["list"] = "list"
    data: list[OpenAIModel]


async def list_models(call: Call) -> OpenAIModelList:
    """Every name that is configured, once, with the upstream that makes it. An upstream that takes every name has
    none to list."""
    offers = call.services.offers
    owners = {name: offer.upstream for offer in reversed(offers) for name in offer.models}
    return OpenAIModelList(data=[OpenAIModel(id=name, owned_by=owners[name]) for name in sorted(owners)])


async def retrieve_model(call: Call) -> OpenAIModel:
    """A name that a create would take, also one that only an upstream that takes every name would make."""
    name = call.path["id"]
    offer = choose(call.services.offers, name) if 0 < len(name) <= MAX_MODEL else None
    if offer is None:
        raise ModelNotFound(f"No upstream offers the model {name[:MAX_MODEL]!r}.", param="model")
    return OpenAIModel(id=name, owned_by=offer.upstream)


ENDPOINTS = [
    Endpoint(
        method="GET", path="/v1/models", handler=list_models, summary="List models",
        access=Access.VIEWER, tag="openai", response=OpenAIModelList,
    ),
    # Names of models have slashes in them: Wan-AI/Wan2.2-T2V-A14B.
    Endpoint(
        method="GET", path="/v1/models/{id:path}", handler=retrieve_model, summary="Retrieve a model",
        access=Access.VIEWER, tag="openai", response=OpenAIModel, errors=(ModelNotFound,),
    ),
]  # fmt: skip
