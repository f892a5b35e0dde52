"""Graphs beside another instrumentation of LangChain, which leaves a part of itself behind: a process for each.

    python beside_program.py <module:class or "-"> <first|last>

It prints what each way of running a graph brought, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from importlib import import_module
from typing import Any

from langgraph_ways import ROOT, WAYS, broken, make_agent, open_provider

from otel_agentops.clients import openai
from otel_agentops.frameworks import langchain_core, langgraph
from otel_agentops.testing import Capture, capture

SUMS = ("llm_calls", "tool_calls", "tool_failures", "input_tokens", "output_tokens")


def order_instrumentors(peer: str, order: str) -> list[Any]:
    ours = [openai.Instrumentor(), langgraph.Instrumentor(), langchain_core.Instrumentor()]
    module, _, name = peer.partition(":")
    theirs = [] if peer == "-" else [getattr(import_module(module), name)()]
    return [*theirs, *ours] if order == "first" else [*ours, *theirs]


def find_kind(attributes: dict[str, Any]) -> str | None:
    """Return what a span stands for in the words of OpenInference, which may be beside those of the convention."""
    kind = attributes.get("openinference.span.kind")
    return kind or {"execute_tool": "TOOL", "chat": "LLM"}.get(attributes.get("gen_ai.operation.name", ""))


def summarise(seen: Capture) -> dict[str, Any]:
    """Return how many spans of tools and model calls there are, those with a tool's hash, and the sums of the task."""
    kinds = Counter(find_kind(span["attributes"]) for span in seen.spans)
    (root,) = [span["attributes"] for span in seen.spans if span["name"] == ROOT]
    sums = [root.get(f"otel_agentops.task.{name}") for name in SUMS]
    hashed = sum("otel_agentops.tool.hash" in span["attributes"] for span in seen.spans)
    return {"tools": kinds["TOOL"], "hashed tools": hashed, "models": kinds["LLM"], "sums": sums}


def main(peer: str, order: str) -> None:
    results = {}
    with open_provider() as provider, capture(*order_instrumentors(peer, order)) as seen:
        for name, run in WAYS.items():
            run(make_agent(provider))
            results[name] = summarise(seen)
            seen.clear()
        try:
            WAYS["invoke"](make_agent(provider, broken))
        except ValueError:
            results["failing tool"] = summarise(seen)
    print(json.dumps(results))


main(*sys.argv[1:])
