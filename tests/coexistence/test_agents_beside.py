"""Agents of frameworks that another instrumentation traces as well: spans of calls and tools, and sums of the task."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import pytest

from agents_beside import OURS, RETRIEVED, THEIRS, compare_attributes, every_order, run_agents

if os.environ.get("AGENTOPS_END") != "coexistence" and importlib.util.find_spec("sentry_sdk") is None:
    pytest.skip('sentry-sdk is not installed here: `make ends ARGS="--client coexistence"`', allow_module_level=True)
LOGFIRE = {**THEIRS, "tools": {"ours": 1}}
AGENT_WAYS = ("chat", "chat stream", "responses", "responses stream")
GRAPH_WAYS = ("invoke", "ainvoke", "astream")
CELLS: dict[tuple[str, str], dict[str, Any]] = {
    ("openai_agents", "OpenInference"): dict.fromkeys(AGENT_WAYS, THEIRS),
    ("openai_agents", "OpenLLMetry"): dict.fromkeys(AGENT_WAYS, THEIRS),
    ("openai_agents", "logfire"): dict.fromkeys(AGENT_WAYS, LOGFIRE),
    ("openai_agents", "sentry"): dict.fromkeys(AGENT_WAYS, OURS),
    ("pydantic_ai", "logfire"): dict.fromkeys(("run", "stream"), THEIRS),
    ("langgraph", "Langfuse"): {**dict.fromkeys(GRAPH_WAYS, THEIRS), "retrieve": RETRIEVED},
    ("langgraph", "OpenInference"): {**dict.fromkeys(GRAPH_WAYS, THEIRS), "retrieve": RETRIEVED},
    ("langgraph", "sentry"): {**dict.fromkeys(GRAPH_WAYS, OURS), "retrieve": RETRIEVED},
}


@every_order
@pytest.mark.parametrize(("framework", "peer"), CELLS)
def test_agent_beside_a_peer_is_counted_once(framework: str, peer: str, order: str) -> None:
    traced = ["gen_ai.chat", "gen_ai.execute_tool", "gen_ai.invoke_agent"] if peer == "sentry" else []
    assert run_agents(framework, peer, order) == {"ways": CELLS[framework, peer], "errors": [], "private": traced}


def test_agent_is_counted_once_if_sentry_came_before_ours_again() -> None:
    """Sentry keeps our wrapper of before in its own, on an object."""
    results = run_agents("openai_agents", "sentry", "ours-again")
    assert (results["ways"], results["errors"]) == (CELLS["openai_agents", "sentry"], [])


@every_order
@pytest.mark.parametrize(
    ("peer", "scope"), [("Langfuse", "langfuse-sdk"), ("OpenInference", "openinference.instrumentation.langchain")]
)
def test_enriched_spans_have_all_that_ours_have(peer: str, scope: str, order: str) -> None:
    assert compare_attributes("langgraph", peer, order) == ({scope}, set())


@every_order
def test_span_of_logfire_names_the_model_that_answered(order: str) -> None:
    ways = run_agents("openai_agents", "logfire", order, SHOW_ATTRIBUTES="1")["ways"]
    models = {
        way: {(span.get("gen_ai.response.model"), span.get("otel_agentops.model.served")) for span in spans[::2]}
        for way, spans in ways.items()
    }
    answered = "gpt-x-2026-03-01"
    chat, respond = {("gpt-x", answered)}, {(answered, None)}
    assert models == dict(zip(AGENT_WAYS, (chat, chat, respond, respond), strict=True))
