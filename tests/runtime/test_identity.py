"""Hashes that are remembered are the hashes that would be computed, and what is remembered is bounded."""

from __future__ import annotations

import copy
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agentops import _identity, _telemetry, prompt, task
from otel_agentops._context import NO_SCOPE
from otel_agentops._hashing import identity
from otel_agentops._identity import Identities
from otel_agentops.clients import openai as openai_client
from otel_agentops.clients._protocols import anthropic_messages as anthropic_client
from otel_agentops.clients._protocols import openai_chat
from otel_agentops.clients._servers import Server
from otel_agentops.operations import ModelCall
from otel_agentops.semconv import attributes as A
from otel_agentops.task_totals import TaskTotals
from otel_agentops.testing import capture

Said = Callable[[], list[str]]
TOOL = {
    "type": "function",
    "function": {
        "name": "lookup",
        "description": "Finds an order.",
        "strict": True,
        "parameters": {"type": "object", "properties": {"id": {"type": "string", "default": 1, "nullable": True}}},
    },
}


@pytest.fixture
def identities() -> Identities:
    return Identities(None, 3)


def hashed(identities: Identities, tools: Any) -> str:
    return str(identities.identify_tools(tools, openai_chat.normalise_tool).attributes[A.TOOLS_HASH])


def of(identities: Identities, **call: Any) -> dict[str, Any]:
    model_call = ModelCall("chat", "openai", "gpt-x", {}, **call)
    params, sources = identities.identify_params(model_call)
    return {**identities.identify_call(model_call, NO_SCOPE), **params, **sources}


# -- tools


def test_tool_set_and_each_tool_have_a_hash(identities: Identities) -> None:
    normal = openai_chat.normalise_tool(TOOL)
    found = identities.identify_tools([TOOL], openai_chat.normalise_tool)
    assert found.hashes == {"lookup": identity(normal)}
    assert found.attributes == {
        "otel_agentops.tools.hash": identity([identity(normal)]),
        "otel_agentops.tools.versions": [f"lookup@{identity(normal)}"],
    }


def test_tool_hash_ignores_the_order_of_tools_and_keys(identities: Identities) -> None:
    other = {"type": "function", "function": {"parameters": {"type": "object"}, "name": "refund"}}
    turned = {"function": dict(reversed(list(TOOL["function"].items()))), "type": "function"}  # type: ignore[attr-defined]
    assert hashed(identities, [TOOL, other]) == hashed(identities, [other, turned])


MUTATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "description": lambda tool: tool["function"].update(description="Finds an order!"),
    "name": lambda tool: tool["function"].update(name="look_up"),
    "strict": lambda tool: tool["function"].pop("strict"),
    "deep": lambda tool: tool["function"]["parameters"]["properties"]["id"].update(type="integer"),
    "number to boolean": lambda tool: tool["function"]["parameters"]["properties"]["id"].update(default=True),
    "boolean to number": lambda tool: tool["function"]["parameters"]["properties"]["id"].update(nullable=1),
    "false to zero": lambda tool: tool["function"]["parameters"]["properties"]["id"].update(default=0),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_mutated_tool_list_has_a_new_hash_until_restored(identities: Identities, mutation: str) -> None:
    tools = [copy.deepcopy(TOOL)]
    before = hashed(identities, tools)
    MUTATIONS[mutation](tools[0])
    after = hashed(identities, tools)
    assert after != before
    assert after == hashed(Identities(None, 3), tools)  # as a process says that never saw the old ones
    assert hashed(identities, [TOOL]) == before


def test_tool_hash_treats_1_and_1_0_as_equal(identities: Identities) -> None:
    tools = [copy.deepcopy(TOOL)]
    before = hashed(identities, tools)
    tools[0]["function"]["parameters"]["properties"]["id"]["default"] = 1.0  # type: ignore[index]
    assert hashed(identities, tools) == before == hashed(Identities(None, 3), tools)


json_values = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 0.0, 1.0, 2, "", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(json_values, json_values)
def test_cached_copy_equals_the_same_json_only(one: Any, other: Any) -> None:
    same = identity(one) == identity(other)
    assert (_identity._copy_json(one) == other) is same
    assert (other == _identity._copy_json(one)) is same
    assert _identity._copy_json(one) == copy.deepcopy(one)


def test_unchanged_tools_are_not_hashed_again(identities: Identities) -> None:
    asked: list[Any] = []

    def normalise(tool: Any) -> dict[str, Any]:
        asked.append(tool)
        return openai_chat.normalise_tool(tool)

    for _ in range(5):
        identities.identify_tools([copy.deepcopy(TOOL)], normalise)
    assert len(asked) == 1


def test_tool_hash_leaves_out_credentials_of_remote_servers() -> None:
    server = {"type": "mcp", "server_label": "crm", "server_url": "https://crm.example/mcp", "allowed_tools": ["find"]}
    secret = {"headers": {"authorization": "Bearer s3cret"}, "authorization": "s3cret"}
    material = openai_chat.normalise_tool({**server, **secret})
    assert "s3cret" not in str(material)
    assert identity(material) == identity(openai_chat.normalise_tool(server))
    body = {"model": "c", "messages": [], "mcp_servers": [{"name": "crm", "authorization_token": "s3cret"}]}
    call = anthropic_client.read_request(body, Server("anthropic", {}))
    assert "s3cret" not in str(call)


# -- prompts


def test_prompt_source_says_where_the_hash_comes_from(identities: Identities) -> None:
    declared = NO_SCOPE._replace(prompt=identities.declare_template("greeting", "3", "Greet {name}."))
    call = ModelCall("chat", "openai", "gpt-x", {}, instructions=("Greet Ann.",))
    assert identities.identify_call(call, declared) == {
        "otel_agentops.prompt.source": "template",
        "otel_agentops.prompt.hash": identity(["Greet {name}."]),
        "gen_ai.prompt.name": "greeting",
        "gen_ai.prompt.version": "3",
    }
    assert identities.identify_call(call, NO_SCOPE) == {
        "otel_agentops.prompt.source": "instructions",
        "otel_agentops.prompt.hash": identity(["Greet Ann."]),
    }
    assert of(identities) == {"otel_agentops.prompt.source": "none"}
    assert of(identities, prompt=("stored", "2")) == {
        "otel_agentops.prompt.source": "template",
        "otel_agentops.prompt.hash": identity({"name": "stored", "version": "2"}),
        "gen_ai.prompt.name": "stored",
        "gen_ai.prompt.version": "2",
    }
    assert "otel_agentops.prompt.hash" not in of(identities, prompt=("stored", None))


@pytest.mark.parametrize("parts", [("a", "b"), ("a", {"type": "image"}), (1,), (True,), (None, 5), ("x" * 70_000,)])
def test_instructions_of_any_parts_are_hashed(identities: Identities, parts: tuple[Any, ...]) -> None:
    for _ in range(2):
        assert identities.hash_prompt(parts) == identity(list(parts))


def test_prompt_rendered_per_call_warns_once(said: Said, monkeypatch: pytest.MonkeyPatch, gpt: openai.OpenAI) -> None:
    monkeypatch.setenv("OTEL_AGENTOPS_PROMPT_LIMIT", "3")
    with capture(openai_client.Instrumentor()) as seen:

        def greet(name: str) -> None:
            gpt.chat.completions.create(model="gpt-x", messages=[{"role": "system", "content": f"Greet {name}."}])

        with task("support"):
            for name in ("Ann", "Bo", "Cy", "Ann", "Di", "Ed", "Ann"):
                greet(name)
            with prompt(template="Greet {name}."):
                greet("Flo")
        with task("other"):
            greet("Ann")
    calls = [span["attributes"] for span in seen.spans if span["name"] == "chat gpt-x"]
    seen_sources = [(call["otel_agentops.prompt.source"], "otel_agentops.prompt.hash" in call) for call in calls]
    known, unbounded = ("instructions", True), ("unbounded", False)
    assert seen_sources == [known] * 4 + [unbounded] * 3 + [("template", True), known]
    (sentence,) = said()
    assert sentence.startswith("more than 3 different system prompts in scope 'support/chat': a rendered value")
    assert "Ann" not in sentence


# -- parameters


def test_defaults_of_a_client_do_not_reach_another(identities: Identities) -> None:
    """Parameters that one client fills in by itself are explicit in another."""
    params = {"encoding_format": "base64"}
    clients: list[dict[str, Any] | None] = [None, {"encoding_format": "base64"}, {"encoding_format": "float"}, None]
    calls = [of(identities, params=params, default_params=defaults) for defaults in clients]
    sources = [call["otel_agentops.param.encoding_format.source"] for call in calls]
    assert sources == ["explicit", "unknown", "explicit", "explicit"]


def test_parameters_are_hashed_and_their_source_recorded(identities: Identities) -> None:
    params = {"temperature": 0, "encoding_format": "base64"}
    for _ in range(2):
        assert of(identities, params=params, default_params={"encoding_format": "base64"}) == {
            "otel_agentops.prompt.source": "none",
            "otel_agentops.params.hash": identity(params),
            "otel_agentops.param.temperature.source": "explicit",
            "otel_agentops.param.encoding_format.source": "unknown",
        }


@pytest.mark.parametrize(("one", "other"), [(0, False), (1, True), ({"a": [1]}, {"a": [True]}), (0.5, 0.25)])
def test_parameters_equal_only_in_python_have_two_hashes(identities: Identities, one: Any, other: Any) -> None:
    first, second = (of(identities, params={"x": value})["otel_agentops.params.hash"] for value in (one, other))
    assert (first, second) == (identity({"x": one}), identity({"x": other}))
    assert first != second


# -- key and memory


def test_hash_key_changes_every_identity() -> None:
    call: dict[str, Any] = {
        "instructions": ("Be kind.",),
        "tools": [TOOL],
        "normalise_tool": openai_chat.normalise_tool,
        "params": {"n": 2},
    }
    plain, keyed, other = (of(Identities(key, 9), **call) for key in (None, b"one", b"two"))
    for name in ("prompt.hash", "tools.hash", "params.hash", "tools.versions"):
        values = {str(found[f"otel_agentops.{name}"]) for found in (plain, keyed, other)}
        assert len(values) == 3
    assert keyed == of(Identities(b"one", 9), **call)


def test_hash_key_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_AGENTOPS_HASH_KEY", "a project key")
    before = _telemetry.replace_default(None)
    try:
        assert _telemetry.get_default().identities.hash_prompt(("x",)) == identity(["x"], b"a project key")
    finally:
        _telemetry.replace_default(before)


def test_identity_caches_are_bounded(said: Said) -> None:
    identities = Identities(None, 100)
    size = sys.getsizeof(identities._texts)
    for number in range(3000):
        scope = NO_SCOPE._replace(task=TaskTotals(f"task-{number}"))
        tool = {"type": "function", "function": {"name": f"t{number}"}}
        call = ModelCall(
            "chat", "openai", "m", {}, (f"prompt {number}",), [tool], openai_chat.normalise_tool, {f"p{number}": 1}
        )
        identities.identify_call(call, scope)
        identities.identify_params(call)
    memories = (identities._texts, identities._tools, identities._params, identities._prompts_by_scope)
    assert all(0 < len(memory) <= _identity._MAX_ENTRIES for memory in memories)
    assert size < sys.getsizeof(identities._texts) < 100_000


# -- what it costs


def test_long_prompt_is_neither_copied_nor_cached() -> None:
    """A megabyte is hashed in parts: at no time is there a second one."""
    identities, prompt = Identities(None, 9), "é" + "x" * 1_000_000
    expected = identity([prompt])
    tracemalloc.start()
    try:
        assert identities.hash_prompt((prompt,)) == expected
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 400_000
    assert identities._texts == {}


def test_alternating_tool_lists_are_hashed_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of one length that begin with the same tool, sent in turn and made anew each time: one hashing each."""
    hashed = []
    original = Identities._hash_tools
    monkeypatch.setattr(Identities, "_hash_tools", lambda self, tools: hashed.append(1) or original(self, tools))
    identities = Identities(None, 9)
    lists = [[_tool("first"), _tool(name)] for name in ("second", "third")]
    found = [
        identities.identify_tools(copy.deepcopy(offered), openai_chat.normalise_tool)
        for _ in range(5)
        for offered in lists
    ]
    assert (len(hashed), len({str(tools.attributes) for tools in found})) == (2, 2)
    lists[0][1]["function"]["description"] = "Something else."
    assert identities.identify_tools(lists[0], openai_chat.normalise_tool) not in found


def _tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
