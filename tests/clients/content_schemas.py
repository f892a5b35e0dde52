"""Content attributes of spans, read and held against the JSON schemas of the convention."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from otel_agentops.testing import Capture, Record

# The environments of one client have none, and their content is validated in that of development.
_HAS_VALIDATOR = importlib.util.find_spec("jsonschema") is not None
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
            if _HAS_VALIDATOR:
                importlib.import_module("jsonschema").validate(content[name], schema)
    return content


def read_words(seen: Capture) -> list[tuple[str, str]]:
    """Return role and words of every message of the only span, the instructions first.

    Raises:
        jsonschema.ValidationError: A value is not as the convention has it.
    """
    content = read_content(seen)
    messages = [
        {"role": "system", "parts": content.get("gen_ai.system_instructions", [])},
        *content.get("gen_ai.input.messages", []),
        *content.get("gen_ai.output.messages", []),
    ]
    return [(message["role"], _join_parts(message["parts"])) for message in messages if message["parts"]]


def _join_parts(parts: list[Record]) -> str:
    """Return the words of parts; of the call of a tool its name with the arguments."""
    words = [
        part["content"] if "content" in part else f"{part['name']} {json.dumps(part['arguments'])}"
        for part in parts
        if part["type"] in {"text", "tool_call"}
    ]
    return " ".join(words)
