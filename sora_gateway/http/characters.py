"""Characters: ``/v1/videos/characters``, where an upstream has them."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import ConfigDict, Field

from sora_gateway.core.character import Character
from sora_gateway.core.views import OpenAIView
from sora_gateway.errors import (
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    UnsupportedByUpstream,
)
from sora_gateway.http.paid import claim_of, plan_refusal
from sora_gateway.http.routing import Access, Call, Endpoint
from sora_gateway.http.uploads import Upload
from sora_gateway.media.mp4_facts import UnusableVideo, facts


class CreateCharacterForm(OpenAIView):
    """A form only: the video is an MP4 file."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)]
    video: Upload


class VideoCharacter(OpenAIView):
    id: str
    name: str
    created_at: int


def _view(character: Character) -> VideoCharacter:
    return VideoCharacter(id=character.id, name=character.name, created_at=int(character.created_at))


async def create_character(call: Call) -> VideoCharacter:
    """Has an upstream learn a character, to be named in ``characters`` of later videos there."""
    wish: CreateCharacterForm = call.body
    offer = next((each for each in call.services.offers if each.characters), None)
    if offer is None:
        raise UnsupportedByUpstream("No upstream has characters.")
    refusal = plan_refusal(call.services, call.caller.user_id)
    if refusal is not None:
        raise refusal
    claim = await claim_of(call)
    try:
        await asyncio.to_thread(facts, wish.video.data)
    except UnusableVideo as error:
        raise InvalidRequest(str(error), param="video") from None
    # A turn is waited for as long as the earlier sending waits for the upstream.
    async with call.waiting(), call.services.tries.turn(claim):
        character = await call.services.characters.create(
            call.caller.user_id, offer.upstream, wish.name, wish.video.data, claim
        )
    return _view(character)


async def retrieve_character(call: Call) -> VideoCharacter:
    """One of the caller's characters."""
    return _view(await call.services.store.character(call.path["id"], call.caller))


# Before ``/v1/videos/{id}``, which would take "characters" for an id.
ENDPOINTS = [
    Endpoint(
        method="POST", path="/v1/videos/characters", handler=create_character, summary="Create a character",
        access=Access.MEMBER, tag="openai", paid=True, form=CreateCharacterForm, uploads=True, response=VideoCharacter,
        errors=(UnsupportedByUpstream, OutcomeUnknown),
    ),
    Endpoint(
        method="GET", path="/v1/videos/characters/{id}", handler=retrieve_character, summary="Retrieve a character",
        access=Access.VIEWER, tag="openai", response=VideoCharacter, errors=(NotFound,),
    ),
]  # fmt: skip
