"""The JSON schema of a spec, for editors: names, types, limits and a description of each field.

It allows everything that the model allows. The model also refuses what a schema cannot express: an invalid regular
expression or condition, an attribute that does not exist, a threshold that is missing.
"""

from __future__ import annotations

import json
from typing import Any

from otel_agentops.slo.spec import Slo


def build_schema() -> dict[str, Any]:
    """Build the schema as data."""
    content = Slo.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "An objective of otel-agentops"}
    return head | {key: value for key, value in _drop_titles(content).items() if key not in head}


def render_schema() -> str:
    """Render the file, the same for the same model."""
    return json.dumps(build_schema(), indent=2, ensure_ascii=False) + "\n"


def _drop_titles(node: Any) -> Any:
    """Drop the titles that pydantic makes of field names.

    An editor shows them above every description.
    """
    if isinstance(node, dict):
        return {key: _drop_titles(value) for key, value in node.items() if key != "title" or not isinstance(value, str)}
    return [_drop_titles(each) for each in node] if isinstance(node, list) else node
