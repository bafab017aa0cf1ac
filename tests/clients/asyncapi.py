"""Part of ``make test-clients``: AsyncAPI's own schema takes the description of the live protocol."""

from __future__ import annotations

import copy
import json
import sys
from typing import Any

from jsonschema import Draft7Validator

from sora_gateway.http.asyncapi import document
from tests.processes import ROOT

SCHEMA = ROOT / "tests/clients/node/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"


def main() -> int:
    if not SCHEMA.exists():
        print("npm is not here, so neither is AsyncAPI's schema: /asyncapi.json was not held against it")
        return 0
    validator = Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    complaints = [
        f"{error.json_path}: {error.message[:300]}"
        for described in (document(), document("https://example.org/videos", "/videos"))
        for error in validator.iter_errors(described)
    ]
    complaints += [
        f"it took a document that is none: {how}" for how, bad in wrong() if validator.is_valid(bad)
    ]
    print("\n".join(complaints) or "all is well with /asyncapi.json by AsyncAPI's own schema")
    return 1 if complaints else 0


def wrong() -> list[tuple[str, dict[str, Any]]]:
    """Documents that the schema has to refuse, or it says nothing of the good one."""
    shouting, nameless = copy.deepcopy(document()), copy.deepcopy(document())
    shouting["operations"]["tell"]["action"] = "shout"
    del nameless["info"]["title"]
    return [
        ("an unknown action", shouting),
        ("no title", nameless),
        ("another version", document() | {"asyncapi": "9"}),
    ]


if __name__ == "__main__":
    sys.exit(main())
