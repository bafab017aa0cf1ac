"""``/v1/models``: what can be asked for, in the shape that OpenAI's clients expect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.requests import HTTPConnection

from sora_gateway.core.catalogue import Catalogue, Offer
from sora_gateway.core.principal import Principal
from sora_gateway.http import models
from sora_gateway.http.openapi import document
from tests.http_calls import application, client_of, services

NAMED = Offer("lab", {"sora-2": "wan-2.2", "Wan-AI/Wan2.2-T2V-A14B": "Wan-AI/Wan2.2-T2V-A14B"})
SECOND = Offer("spare", {"sora-2": "other", "sora-2-pro": "other-pro"})
EVERYTHING = Offer("relay", {})


@asynccontextmanager
async def a_client(*offers: Offer) -> AsyncIterator[httpx.AsyncClient]:
    app = application(models.ENDPOINTS, replace(services(), catalogue=Catalogue(offers)))
    async with client_of(app, authorization="Bearer viewer") as client:
        yield client


async def one(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    response = await client.get(f"/v1/models/{name}")
    assert response.status_code == 200, response.text
    return dict(response.json())


async def test_every_configured_name_is_listed_once_with_the_upstream_that_makes_it() -> None:
    async with a_client(NAMED, SECOND) as client:
        listed = (await client.get("/v1/models")).json()
        assert listed == {
            "object": "list",
            "data": [
                {"id": "Wan-AI/Wan2.2-T2V-A14B", "object": "model", "created": 0, "owned_by": "lab"},
                {"id": "sora-2", "object": "model", "created": 0, "owned_by": "lab"},
                {"id": "sora-2-pro", "object": "model", "created": 0, "owned_by": "spare"},
            ],
        }
        for model in listed["data"]:
            assert await one(client, model["id"]) == model


async def test_a_slash_in_a_name_may_be_written_either_way() -> None:
    async with a_client(NAMED) as client:
        assert await one(client, "Wan-AI%2FWan2.2-T2V-A14B") == await one(client, "Wan-AI/Wan2.2-T2V-A14B")


async def test_what_the_upstream_calls_a_model_is_no_name_here() -> None:
    async with a_client(NAMED, SECOND) as client:
        for name in ("wan-2.2", "other-pro"):
            assert (await client.get(f"/v1/models/{name}")).status_code == 404


@pytest.mark.parametrize("name", ["none-such", "sora-2/", "x" * 5000, "%20", ""])
async def test_an_unknown_name_is_not_found(name: str) -> None:
    async with a_client(NAMED) as client:
        response = await client.get(f"/v1/models/{name}")
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (
        404, "model_not_found", "invalid_request_error",
    )  # fmt: skip
    assert len(error["message"]) < 200
    assert response.headers["x-should-retry"] == "false"


async def test_an_upstream_that_takes_every_name_lists_none_and_knows_all() -> None:
    async with a_client(NAMED, EVERYTHING) as client:
        ids = [model["id"] for model in (await client.get("/v1/models")).json()["data"]]
        assert ids == ["Wan-AI/Wan2.2-T2V-A14B", "sora-2"]
        assert (await one(client, "veo-3.1"))["owned_by"] == "relay"
        assert (await one(client, "sora-2"))["owned_by"] == "lab"
        # What a create would refuse is not there, however much the upstream takes.
        for name in ("", "x" * 129):
            assert (await client.get(f"/v1/models/{name}")).status_code == 404


async def test_without_an_upstream_there_are_no_models() -> None:
    async with a_client() as client:
        assert (await client.get("/v1/models")).json() == {"object": "list", "data": []}


async def test_models_are_for_those_who_are_known() -> None:
    async def nobody(connection: HTTPConnection) -> Principal | None:
        return None

    app = application(
        models.ENDPOINTS, replace(services(), catalogue=Catalogue([NAMED]), authenticate=nobody)
    )
    async with client_of(app) as client:
        for path in ("/v1/models", "/v1/models/sora-2"):
            assert (await client.get(path)).status_code == 401


def test_the_description_has_one_parameter_of_a_plain_name() -> None:
    operation = document(models.ENDPOINTS)["paths"]["/v1/models/{id}"]["get"]
    assert operation["parameters"] == [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    ]
