"""`otel-agentops identity`: the hash of a file is the one that a span has when a program sends what is in the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import boto3
import cohere
import openai
import pytest
from google import genai
from mcp import types
from typer.testing import CliRunner

from otel_agentops import judge
from otel_agentops._hashing import identity
from otel_agentops.cli import _build_app
from otel_agentops.clients.anthropic import Instrumentor as AnthropicInstrumentor
from otel_agentops.clients.bedrock import Instrumentor as BedrockInstrumentor
from otel_agentops.clients.cohere import Instrumentor as CohereInstrumentor
from otel_agentops.clients.google_genai import Instrumentor as GoogleInstrumentor
from otel_agentops.clients.openai import Instrumentor as OpenAIInstrumentor
from otel_agentops.frameworks.mcp import read_tool
from otel_agentops.testing import Record, capture
from otel_agentops.testing.fake_provider import FakeProvider

PROMPT = "You are a support agent.\nBe brief.\n"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
REFUND = {"name": "refund", "description": "Gives money back."}
LOOKUP = {"name": "look_up", "description": "Finds an order."}
TURNS: list[Any] = [{"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OTEL_AGENTOPS_HASH_KEY", raising=False)
    return tmp_path


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(_build_app(), ["identity", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def chat_openai(provider: FakeProvider, system: str, tools: Any) -> None:
    client: Any = openai.OpenAI(api_key="k", base_url=provider.openai_url)
    client.chat.completions.create(model="gpt-x", messages=[{"role": "system", "content": system}, *TURNS], tools=tools)


def respond_openai(provider: FakeProvider, system: str, tools: Any) -> None:
    client: Any = openai.OpenAI(api_key="k", base_url=provider.openai_url)
    client.responses.create(model="gpt-x", instructions=system, input="hi", tools=tools)


def chat_anthropic(provider: FakeProvider, system: str, tools: Any) -> None:
    client: Any = anthropic.Anthropic(api_key="k", base_url=provider.anthropic_url)
    client.messages.create(model="claude-x", max_tokens=9, system=system, messages=TURNS, tools=tools)


def converse_bedrock(provider: FakeProvider, system: str, tools: Any) -> None:
    client: Any = boto3.client(
        "bedrock-runtime", "us-east-1", endpoint_url=provider.url, aws_access_key_id="k", aws_secret_access_key="k"
    )
    turns = [{"role": "user", "content": [{"text": "hi"}]}]
    client.converse(modelId="claude-x", system=[{"text": system}], messages=turns, toolConfig={"tools": tools})


def generate_google(provider: FakeProvider, system: str, tools: Any) -> None:
    client: Any = genai.Client(api_key="k", http_options={"base_url": provider.url})
    config = {"system_instruction": system, "tools": tools}
    client.models.generate_content(model="gemini-x", contents="hi", config=config)


def chat_cohere(provider: FakeProvider, system: str, tools: Any) -> None:
    client: Any = cohere.ClientV2(api_key="k", base_url=provider.url)
    client.chat(model="command-x", messages=[{"role": "system", "content": system}, *TURNS], tools=tools)


def nest_functions(*tools: dict[str, Any]) -> list[Any]:
    return [{"type": "function", "function": {**tool, "parameters": SCHEMA}} for tool in tools]


GOOGLE_SCHEMA = {"type": "OBJECT", "properties": {"id": {"type": "STRING"}}, "required": ["id"]}
SENT: dict[str, tuple[Any, Callable[..., None], list[Any]]] = {
    "openai": (OpenAIInstrumentor, chat_openai, nest_functions(LOOKUP, REFUND)),
    "responses": (OpenAIInstrumentor, respond_openai, [{"type": "function", **REFUND, "parameters": SCHEMA}]),
    "anthropic": (AnthropicInstrumentor, chat_anthropic, [
        {**LOOKUP, "input_schema": SCHEMA}, {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
    ]),
    "bedrock": (BedrockInstrumentor, converse_bedrock, [{"toolSpec": {**REFUND, "inputSchema": {"json": SCHEMA}}}]),
    "google": (GoogleInstrumentor, generate_google, [
        {"function_declarations": [{**LOOKUP, "parameters": GOOGLE_SCHEMA}, {**REFUND, "parameters": GOOGLE_SCHEMA}]}
    ]),
    "cohere": (CohereInstrumentor, chat_cohere, nest_functions(REFUND)),
}  # fmt: skip


def send(client: str, provider: FakeProvider) -> Record:
    instrumentor, send_chat, tools = SENT[client]
    with capture(instrumentor()) as seen:
        send_chat(provider, PROMPT, tools)
    return seen.spans[-1]["attributes"]


@pytest.mark.parametrize("key", ["", "s3cret"])
@pytest.mark.parametrize("client", SENT)
def test_file_has_the_hashes_of_the_span(
    client: str, key: str, provider: FakeProvider, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_AGENTOPS_HASH_KEY", key)
    attributes = send(client, provider)
    (directory / "support.txt").write_text(PROMPT)
    (directory / "tools.json").write_text(json.dumps(SENT[client][2], indent=2))
    versions = [each.partition("@") for each in attributes["otel_agentops.tools.versions"]]
    tools = [f"{attributes['otel_agentops.tools.hash']}  otel_agentops.tools.hash"]
    tools += [f"{value}  otel_agentops.tool.hash  {name}" for name, _, value in versions]
    assert run("tools.json") == (0, "\n".join(tools) + "\n", "note: tools.json is taken as JSON\n")
    assert run("--kind", "tools", "tools.json") == (
        0, "\n".join(tools) + "\n", "note: tools.json is taken as a set of tools\n",
    )  # fmt: skip
    assert run("--kind", "tool", "tools.json") == (
        0, "\n".join(tools[1:]) + "\n", "note: tools.json is taken as a tool\n",
    )  # fmt: skip
    code, out, err = run("support.txt")
    assert (code, err) == (0, "note: support.txt is taken as a prompt\n")
    assert out.splitlines()[0] == f"{attributes['otel_agentops.prompt.hash']}  otel_agentops.prompt.hash"


def test_prompt_has_a_hash_with_and_without_white_space(directory: Path) -> None:
    (directory / "support.txt").write_bytes(b" Be brief. \r\n")
    assert run("support.txt") == (
        0,
        "8c6cdb9424b64736  otel_agentops.prompt.hash\n"
        "0153e07e65f9d10a  otel_agentops.prompt.hash  without the last line end\n"
        "656d10b2fcc4bbaf  otel_agentops.prompt.hash  stripped\n",
        "note: support.txt is taken as a prompt\n",
    )


def test_judge_file_has_the_identities_of_its_events(directory: Path) -> None:
    configuration: Any = {
        "name": "grounded", "model": "gpt-x", "prompt": "Is it grounded?", "threshold": 0.5, "params": {"seed": 1},
    }  # fmt: skip
    with capture() as seen, judge(**configuration) as verdict:
        verdict.score(1)
    attributes = seen.events[-1]["attributes"]
    names = ("otel_agentops.judge.revision", "otel_agentops.judge.prompt.hash", "otel_agentops.judge.params.hash")
    expected = "".join(f"{attributes[name]}  {name}\n" for name in names)
    (directory / "grounded.json").write_text(json.dumps(configuration))
    (directory / "rubric.md").write_text("Is it grounded?")
    assert run("--kind", "judge", "grounded.json") == (0, expected, "note: grounded.json is taken as a judge\n")
    assert run("rubric.md") == (
        0, expected.splitlines(keepends=True)[1], "note: rubric.md is taken as the prompt of a judge\n",
    )  # fmt: skip
    assert run("--kind", "judge", "rubric.md") == run("rubric.md")


def test_tools_of_an_mcp_server_have_the_hash_of_its_calls(directory: Path, provider: FakeProvider) -> None:
    listed = types.Tool(
        name="refund", description="Gives money back.", inputSchema=SCHEMA,
        annotations=types.ToolAnnotations(readOnlyHint=True),
    )  # fmt: skip
    (directory / "listed.json").write_text(json.dumps({"tools": [listed.model_dump(mode="json", by_alias=True)]}))
    code, out, _ = run("listed.json")
    assert code == 0
    assert out.splitlines()[1] == f"{identity(read_tool(listed))}  otel_agentops.tool.hash  tools refund"


def test_literals_of_python_source_have_identities(directory: Path, provider: FakeProvider) -> None:
    attributes = send("anthropic", provider)
    (directory / "agent.py").write_text(
        f'"""A docstring is no prompt."""\nSYSTEM = (\n    "You are a support agent.\\n"\n    "Be brief.\\n"\n)\n'
        f"TOOLS = {SENT['anthropic'][2]!r}\nMODE = 'auto'\nGREETING = f'Good {{day}} to you'\nCALL = {{'a': print}}\n"
    )
    names = [each.partition("@") for each in attributes["otel_agentops.tools.versions"]]
    code, out, err = run("agent.py")
    assert out.splitlines() == [
        f"{attributes['otel_agentops.prompt.hash']}  otel_agentops.prompt.hash  line 3",
        "65947a8d1e9d506b  otel_agentops.prompt.hash  line 3 stripped",
        f"{attributes['otel_agentops.tools.hash']}  otel_agentops.tools.hash  line 6",
        *(f"{value}  otel_agentops.tool.hash  line 6 {name}" for name, _, value in names),
    ]
    assert (code, err) == (0, "note: agent.py is taken as Python source\n")


def test_documents_are_searched_for_prompts_and_tools(directory: Path) -> None:
    document = {"agents": [{"instructions": "Be brief.", "model": "gpt-x", "tools": nest_functions(REFUND)}]}
    (directory / "agents.json").write_text(json.dumps(document))
    (directory / "agents.yaml").write_text("# the same\n" + json.dumps(document))
    code, out, _ = run("agents.json")
    assert (code, [line.partition("  ")[2] for line in out.splitlines()]) == (0, [
        "otel_agentops.prompt.hash  agents[0].instructions",
        "otel_agentops.tools.hash  agents[0].tools",
        "otel_agentops.tool.hash  agents[0].tools refund",
    ])  # fmt: skip
    assert run("agents.yaml") == (0, out, "note: agents.yaml is taken as YAML\n")


@pytest.mark.parametrize(
    ("arguments", "text", "sentence"),
    [
        (("none.json",), None, "none.json: cannot be read: No such file or directory"),
        (("agentops.lock",), "version: 2", "agentops.lock:1: version: 2 will not do: input should be 1"),
        (("some.json",), '{"a": 1}', "some.json: no prompt, tool or judge is in this JSON; say with --kind what it is"),
        (("--kind", "tool", "some.json"), "x", "some.json: is no JSON (Expecting value: line 1 column 1 (char 0)); "
            "write a tool, or a list of tools, as it is sent"),
        (("--kind", "tools", "some.json"), "[1]",
            "some.json: is no tool and no list of tools; write them as they are sent"),
        (("--kind", "judge", "some.json"), '{"a": 1}', "some.json: is no configuration of a judge; "
            "write an object with some of model, name, params, prompt, rubric_version, threshold"),
    ],
)  # fmt: skip
def test_unreadable_file_is_one_sentence(
    arguments: tuple[str, ...], text: str | None, sentence: str, directory: Path
) -> None:
    if text is not None:
        (directory / arguments[-1]).write_text(text)
    assert run(*arguments) == (1, "", f"otel-agentops identity: {sentence}\n")
