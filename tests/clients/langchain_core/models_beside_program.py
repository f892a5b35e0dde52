"""A chat model without a client beside another instrumentation of LangChain: a process for each.

    python models_beside_program.py <module:class> <first|last>

It prints what each way of calling the model brought, as JSON.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

from house_models import WAYS, Plain, Streaming

import otel_agentops
from otel_agentops.frameworks import langchain_core
from otel_agentops.testing import Capture, capture


def is_model_call(attributes: dict[str, Any]) -> bool:
    kind = attributes.get("openinference.span.kind") or attributes.get("gen_ai.operation.name")
    return str(kind).lower() in ("llm", "chat")


def summarise(seen: Capture) -> dict[str, Any]:
    """Return the number of spans of model calls, of those with our identity, and sums and variables of the task."""
    calls = [span["attributes"] for span in seen.spans if is_model_call(span["attributes"])]
    (root,) = [span["attributes"] for span in seen.spans if span["name"] == "invoke_workflow weather"]
    sums = [root.get(f"otel_agentops.task.{name}") for name in ("llm_calls", "input_tokens", "output_tokens")]
    values = root["otel_agentops.task.values"]
    identified = sum("otel_agentops.params.hash" in attributes for attributes in calls)
    return {
        "calls": len(calls),
        "identified": identified,
        "sums": sums,
        "values": [value.partition("=")[0] for value in values],
    }


def main(peer: str, order: str) -> None:
    module, _, name = peer.partition(":")
    theirs, ours = getattr(import_module(module), name)(), langchain_core.Instrumentor()
    results = {}
    with capture(*([theirs, ours] if order == "first" else [ours, theirs])) as seen:
        for way, run in WAYS.items():
            for make in (Plain, Streaming):
                with otel_agentops.task("weather"):
                    run(make())
                results[f"{way} {make.__name__}"] = summarise(seen)
                seen.clear()
    print(json.dumps(results))


main(*sys.argv[1:])
