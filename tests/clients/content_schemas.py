"""Content attributes of spans, read and held against the JSON schemas of the convention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from otel_agentops.testing import Capture, Record

SCHEMAS = json.loads((Path(__file__).parents[2] / "semconv/upstream-content.json").read_text())


def read_content(seen: Capture) -> Record:
    """Return the content of the only span, after its validation; texts that are no JSON as they are."""
    (span,) = seen.spans
    return validate_content(span["attributes"])


def validate_content(attributes: Record) -> Record:
    """Return the content among the attributes of a span, read from JSON.

    Raises:
        jsonschema.ValidationError: A value is not as the convention has it.
    """
    content: dict[str, Any] = {}
    for name, schema in SCHEMAS.items():
        if name in attributes:
            content[name] = json.loads(attributes[name])
            jsonschema.validate(content[name], schema)
    return content
