"""Holds every answer of a running gateway against the gateway's own ``/openapi.json``."""

from __future__ import annotations

import copy
import re
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from sora_gateway.http.openapi import document
from sora_gateway.http.system import System
from sora_gateway.http.table import table

_PARAMETER = re.compile(r"\{[a-z_]+\}")


@cache
def description() -> dict[str, Any]:
    return document(table(System(0.0, list)))


async def as_described(response: httpx.Response) -> None:
    """An httpx hook. Fails on an answer whose status, media type, shape or fields the description does not have."""
    operation = _operation(response.request.method, response.request.url.path)
    if operation is None:
        ours = response.request.url.path.startswith(("/api/", "/v1/"))
        assert response.status_code in (404, 405) or not ours, f"{response.request.url} is not described"
        return
    declared = operation["responses"]
    status = str(response.status_code)
    assert status in declared or response.status_code >= 400, f"{status} is not described for {response.url}"
    content = declared.get(status, declared["default"]).get("content", {})
    kind = response.headers.get("content-type", "").partition(";")[0]
    if not kind:
        return
    assert kind in content, f"{kind} is not described for {status} of {response.url}"
    if kind == "application/json" and "schema" in content[kind] and response.request.method != "HEAD":
        await response.aread()
        _validator(content[kind]["schema"]["$ref"]).validate(response.json())


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    # Literal paths first, as the router has it.
    paths = sorted(description()["paths"].items(), key=lambda item: "{" in item[0])
    return [(re.compile(_PARAMETER.sub("[^/]+", path)), methods) for path, methods in paths]


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for pattern, methods in _paths():
        if pattern.fullmatch(path):
            found: dict[str, Any] | None = methods.get({"HEAD": "get"}.get(method, method.lower()))
            return found
    return None


@cache
def _validator(reference: str) -> Draft202012Validator:
    components = copy.deepcopy(description()["components"])
    for schema in components["schemas"].values():
        # A description may leave room for more; a field that is sent and not described is an oversight.
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return Draft202012Validator({"$ref": reference, "components": components})
