"""Every member of a tool's definition that shapes it moves its hash; marks that shape nothing do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anthropic
import openai
import pytest

from otel_agentops import task, tool
from otel_agentops._hashing import identity
from otel_agentops.clients import google_genai
from otel_agentops.clients._protocols import anthropic_messages, cohere, openai_chat
from otel_agentops.clients.anthropic import AnthropicInstrumentor
from otel_agentops.clients.bedrock import _converse
from otel_agentops.clients.google_genai import _interactions
from otel_agentops.clients.openai import OpenAIInstrumentor
from otel_agentops.semconv import attributes as A
from otel_agentops.testing import capture
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.subject import Subject

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "string"}}}
EXTRAS: dict[str, Any] = {
    "input_examples": [{"id": "7"}],
    "defer_loading": True,
    "annotations": {"readOnlyHint": True},
}
MATERIAL = {"name": "lookup", "description": "Finds.", "input_schema": SCHEMA}
NAMED = {"name": "lookup", "description": "Finds."}
Normalise = Callable[[Any], Mapping[str, object]]


@pytest.mark.parametrize(
    ("normalise", "wire"),
    [
        (openai_chat.normalise_tool, {"type": "function", "function": {**NAMED, "parameters": SCHEMA, **EXTRAS}}),
        (openai_chat.normalise_tool, {"type": "function", "function": {**NAMED, "parameters": SCHEMA}, **EXTRAS}),
        (openai_chat.normalise_tool, {"type": "function", **NAMED, "parameters": SCHEMA, **EXTRAS}),
        (anthropic_messages.normalise_tool, {**NAMED, "input_schema": SCHEMA, **EXTRAS}),
        (anthropic_messages.normalise_tool, {"type": "custom", **NAMED, "input_schema": SCHEMA, **EXTRAS}),
        (cohere.normalise_tool, {"type": "function", "function": {**NAMED, "parameters": SCHEMA, **EXTRAS}}),
        (_converse.normalise_tool, {"toolSpec": {**NAMED, "inputSchema": {"json": SCHEMA}, **EXTRAS}}),
        (google_genai.normalise_tool, {**NAMED, "parametersJsonSchema": SCHEMA, **EXTRAS}),
        (_interactions.normalise_tool, {"type": "function", **NAMED, "parameters": SCHEMA, **EXTRAS}),
    ],
)
def test_normalised_tool_keeps_extras(normalise: Normalise, wire: dict[str, Any]) -> None:
    assert normalise(wire) == {**MATERIAL, **EXTRAS}


@pytest.mark.parametrize(
    ("normalise", "wire"),
    [
        (openai_chat.normalise_tool, {"type": "function", "function": {**NAMED, "parameters": SCHEMA}}),
        (anthropic_messages.normalise_tool, {**NAMED, "input_schema": SCHEMA}),
    ],
)
def test_cache_mark_and_null_are_no_part_of_a_tool(normalise: Normalise, wire: dict[str, Any]) -> None:
    assert normalise({**wire, "cache_control": {"type": "ephemeral"}, "defer_loading": None}) == MATERIAL


def test_executed_tool_has_the_hash_it_was_offered_under(provider: FakeProvider) -> None:
    client = anthropic.Anthropic(api_key="k", base_url=provider.anthropic_url, max_retries=0)
    offered: Any = [{**NAMED, "input_schema": SCHEMA, **EXTRAS}]
    with capture(AnthropicInstrumentor()) as seen, task("support"):
        ask: Any = [{"role": "user", "content": "hi"}]
        client.messages.create(model="claude-x", max_tokens=9, messages=ask, tools=offered)
        with tool("lookup"):
            pass
    expected = identity({**MATERIAL, **EXTRAS})
    call, execution = seen.spans[:2]
    assert call["attributes"][A.TOOLS_VERSIONS] == [f"lookup@{expected}"]
    assert execution["attributes"][A.TOOL_HASH] == expected


def test_declared_tool_is_hashed_with_annotations_and_output() -> None:
    more: Any = {"output_schema": SCHEMA, "annotations": {"readOnlyHint": True}}
    with capture() as seen, tool("lookup", schema=SCHEMA, description="Finds.", **more):
        pass
    assert seen.spans[0]["attributes"][A.TOOL_HASH] == identity({**MATERIAL, **more})


# -- parameters that nobody set


UNSET = dict.fromkeys(Subject.sampling, "unset")


@pytest.mark.parametrize(
    ("given", "explicit"),
    [
        ({}, ()),
        ({"temperature": 0, "stop": ["END"]}, ("temperature", "stop")),
        ({"temperature": None, "top_p": 1, "frequency_penalty": 0}, ("top_p", "frequency_penalty")),
        ({"seed": 7}, ("seed",)),  # told, though it is no part of the hash
    ],
)
def test_unset_sampling_is_said(provider: FakeProvider, given: dict[str, Any], explicit: tuple[str, ...]) -> None:
    client = openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)
    with capture(OpenAIInstrumentor()) as seen:
        client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}], **given)
        client.embeddings.create(model="gpt-x", input="hi", encoding_format="float")
    chat, embeddings = (read_sources(span["attributes"]) for span in seen.spans)
    assert chat == UNSET | dict.fromkeys(explicit, "explicit")
    assert embeddings == {"encoding_format": "explicit"}
    hashed = {name: value for name, value in given.items() if value is not None and name != "seed"}
    assert seen.spans[0]["attributes"].get(A.PARAMS_HASH) == (identity(hashed) if hashed else None)


def test_seed_that_varies_leaves_one_hash(provider: FakeProvider) -> None:
    client = openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)
    with capture(OpenAIInstrumentor()) as seen:
        for seed in (1, 2):
            client.chat.completions.create(model="gpt-x", messages=[], temperature=0, seed=seed)
    assert {span["attributes"][A.PARAMS_HASH] for span in seen.spans} == {identity({"temperature": 0})}


def read_sources(attributes: Mapping[str, Any]) -> dict[str, str]:
    before, after = A.PARAM_SOURCE.split("{}")
    keys = [key for key in attributes if key.startswith(before) and key.endswith(after)]
    return {key.removeprefix(before).removesuffix(after): attributes[key] for key in keys}


def test_echo_replaces_unset_on_the_span_of_another(provider: FakeProvider) -> None:
    client = openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)
    with capture(OpenAIInstrumentor()) as seen:
        tracer = seen.tracer_provider.get_tracer("another.instrumentation")
        start: Any = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-x"}
        with tracer.start_as_current_span("chat gpt-x", attributes=start):
            client.responses.create(model="gpt-x", input="hi")
    (span,) = seen.spans
    assert read_sources(span["attributes"]) == {"temperature": "echoed", "top_p": "echoed"}
