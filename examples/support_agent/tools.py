"""The tools, whose definitions come from a file that another team publishes without a deploy here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from support_agent import shop
from support_agent.telemetry import tool

PUBLISHED = Path(__file__).with_name("tools.json")
_TOOLS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "lookup_order": shop.lookup_order,
    "issue_refund": shop.issue_refund,
}
_EFFECTS = {"lookup_order": "read", "issue_refund": "write"}


class Toolbox:
    """The tools as they are published at this moment."""

    def __init__(self, published: Path = PUBLISHED) -> None:
        self._published = published

    def load_definitions(self) -> list[Any]:
        """Load the definitions in the form that a model gets."""
        definitions = json.loads(self._published.read_text())
        return [{"type": "function", "function": definition} for definition in definitions]

    def run_tool(self, name: str, arguments: str, call_id: str) -> str:
        """Run a tool call and return its result, or its failure, as JSON."""
        try:
            with tool(name, effect=_EFFECTS.get(name), call_id=call_id, arguments=arguments):
                return json.dumps(_TOOLS[name](**json.loads(arguments)))
        except (TypeError, LookupError, ValueError) as error:
            return json.dumps({"error": f"{name} failed: {error}"})
