"""``/openapi.json``, made from the route table: what is described is what runs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from sora_gateway import errors
from sora_gateway.core.principal import SESSION_COOKIE
from sora_gateway.errors import GatewayError
from sora_gateway.http.credentials import SECURE_SESSION_COOKIE
from sora_gateway.http.origin import SAFE_METHODS
from sora_gateway.http.request_body import JSON, MULTIPART, URLENCODED
from sora_gateway.http.routing import Access, Endpoint

_REF = "#/components/schemas/{model}"
_IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "The same key with the same request within 24 hours is answered with what it made before.",
}
_PATH_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "type", "param", "requestId"],
            "properties": {
                "code": {"type": "string", "description": "Stable; made for programs."},
                "message": {"type": "string", "description": "One sentence, made for people."},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"], "description": "The field that is wrong."},
                "requestId": {"type": "string", "description": "Finds the request in the log."},
            },
        }
    },
}

Schema = dict[str, Any]
_References = dict[tuple[Any, JsonSchemaMode], Schema]


def document(endpoints: Sequence[Endpoint], server: str = "/") -> Schema:
    """The OpenAPI 3.1 description of *endpoints*, which are found below *server*."""
    references, components = _schemas(endpoints)
    paths: dict[str, Schema] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, references, components)
        paths.setdefault(endpoint.template, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sora-gateway",
            "version": version("sora-gateway"),
            "summary": "One process between a small team and every Sora-style video API.",
        },
        "servers": [{"url": server}],
        "tags": [{"name": tag} for tag in dict.fromkeys(endpoint.tag for endpoint in endpoints)],
        "paths": paths,
        "components": {
            "schemas": components | {"Error": _ERROR},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": SESSION_COOKIE,
                    "description": f"A browser's session; over HTTPS its name is `{SECURE_SESSION_COOKIE}`.",
                },
            },
        },
    }


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[_References, dict[str, Schema]]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    for endpoint in endpoints:
        for model in (endpoint.request, endpoint.form, endpoint.query):
            if model is not None:
                wanted[model, "validation"] = None
        if endpoint.response is not None:
            wanted[endpoint.response, "serialization"] = None
    references, definitions = models_json_schema(list(wanted), by_alias=True, ref_template=_REF)
    components: dict[str, Schema] = definitions.get("$defs", {})
    # A model that JSON has as well is as flat as a form.
    shared = {endpoint.request for endpoint in endpoints}
    for form in {each.form for each in endpoints if each.form is not None and each.form not in shared}:
        schema = _component(references[form, "validation"], components)
        fields = {
            name: dict(_form_fields(name, field, components)) for name, field in schema["properties"].items()
        }
        schema["properties"] = {name: field for each in fields.values() for name, field in each.items()}
        # One of several that can be given is needed, which no list of names can say.
        schema["required"] = [name for name in schema.get("required", ()) if list(fields[name]) == [name]]
    return dict(references), components


def _form_fields(name: str, schema: Schema, components: dict[str, Schema]) -> Iterator[tuple[str, Schema]]:
    """The fields by which a form says what *schema* describes: a form is flat, and nothing in it is null."""
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "$ref") and value is not None}
    if "$ref" in schema:
        target = _component(schema, components)
        if "properties" not in target:
            yield name, schema
        for inner, field in target.get("properties", {}).items():
            yield from _form_fields(f"{name}[{inner}]", field, components)
    elif schema.get("type") == "array" and "$ref" in schema["items"]:
        for inner, field in _form_fields(f"{name}[]", schema["items"], components):
            yield inner, {key: value for key, value in rest.items() if key != "title"} | {"items": field}
    elif schema.get("type") == "array":
        yield f"{name}[]", schema
    elif any("$ref" in choice or choice.get("format") == "binary" for choice in schema.get("anyOf", ())):
        for choice in schema["anyOf"]:
            if choice != {"type": "null"}:
                yield from _form_fields(name, rest | choice, components)
    else:
        choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
        yield name, rest | (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})


def _operation(endpoint: Endpoint, references: _References, components: dict[str, Schema]) -> Schema:
    operation: Schema = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "responses": _responses(endpoint, references),
    }
    if description := inspect.getdoc(endpoint.handler):
        operation["description"] = description
    parameters: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(endpoint.template)
    ]
    if endpoint.query is not None:
        parameters += _query_parameters(references[endpoint.query, "validation"], components)
    if endpoint.paid:
        parameters.append(_IDEMPOTENCY_KEY)
    if parameters:
        operation["parameters"] = parameters
    if endpoint.request is not None or endpoint.form is not None:
        operation["requestBody"] = _request_body(endpoint, references, components)
    if endpoint.access is not Access.PUBLIC:
        operation["security"] = [{"key": []}, {"session": []}]
        if endpoint.access is Access.OPTIONAL:
            operation["security"].append({})
    return operation


def _request_body(endpoint: Endpoint, references: _References, components: dict[str, Schema]) -> Schema:
    content: Schema = {}
    if endpoint.request is not None:
        content[JSON] = {"schema": references[endpoint.request, "validation"]}
    if endpoint.form is not None:
        reference = references[endpoint.form, "validation"]
        content[MULTIPART] = {"schema": reference}
        schema = _component(reference, components)
        files = [name for name, field in schema["properties"].items() if field.get("format") == "binary"]
        if not files:
            content[URLENCODED] = {"schema": reference}
        elif not set(files) & set(schema.get("required", [])):
            rest = {name: field for name, field in schema["properties"].items() if name not in files}
            content[URLENCODED] = {"schema": schema | {"properties": rest}}
    return {"required": True, "content": content}


def _component(reference: Schema, components: dict[str, Schema]) -> Schema:
    found: Schema = components[reference["$ref"].rsplit("/", 1)[1]]
    return found


def _query_parameters(reference: Schema, components: dict[str, Schema]) -> list[Schema]:
    schema = _component(reference, components)
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": {key: value for key, value in field.items() if key != "description"},
        }
        | ({"description": field["description"]} if "description" in field else {})
        for name, field in schema.get("properties", {}).items()
    ]


def _responses(endpoint: Endpoint, references: _References) -> Schema:
    success: Schema = {"description": "Done."}
    if endpoint.response is not None:
        schema = references[endpoint.response, "serialization"]
        success["content"] = {media_type: {"schema": schema} for media_type in endpoint.produces}
    elif endpoint.status != 204:
        success["content"] = {media_type: {} for media_type in endpoint.produces}
    responses: Schema = {str(endpoint.status): success}
    for status, description in endpoint.also.items():
        responses[str(status)] = (success if status == 206 else {}) | {"description": description}
    by_status: dict[int, list[type[GatewayError]]] = {}
    for error in _possible_errors(endpoint):
        by_status.setdefault(error.http_status, []).append(error)
    content = {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}}
    for status, kinds in sorted(by_status.items()):
        codes = ", ".join(f"`{kind.code}`" for kind in kinds)
        responses[str(status)] = {"description": f"Error: {codes}.", "content": content}
    responses["default"] = {"description": "Any other error.", "content": content}
    return responses


def _possible_errors(endpoint: Endpoint) -> dict[type[GatewayError], None]:
    found: list[type[GatewayError]] = []
    has_body = endpoint.request is not None or endpoint.form is not None
    if has_body or endpoint.query is not None:
        found.append(errors.InvalidRequest)
    if has_body:
        found += [errors.TooLarge, errors.UnsupportedMediaType]
    if endpoint.uploads or endpoint.paid:
        found.append(errors.StorageFull)
    if endpoint.paid:
        found += [errors.IdempotencyMismatch, errors.PlanForbids, errors.PlanLimit, errors.DailyCreditsUsed]
    if endpoint.access not in (Access.PUBLIC, Access.OPTIONAL):
        found += [errors.NotAuthenticated, errors.InvalidApiKey]
    if endpoint.access is Access.MEMBER:
        found.append(errors.Forbidden)
    if endpoint.access not in (Access.PUBLIC, Access.OPTIONAL):
        found.append(errors.ScopeMissing)
    if endpoint.tag != "system":
        found.append(errors.TooManyRequests)
    if endpoint.fresh:
        found.append(errors.FreshLoginNeeded)
    if endpoint.access is Access.ADMIN or "{" in endpoint.path:
        found.append(errors.NotFound)
    if endpoint.method not in SAFE_METHODS:
        found += [errors.CrossOrigin, errors.Unavailable]
    return dict.fromkeys([*found, *endpoint.errors])
