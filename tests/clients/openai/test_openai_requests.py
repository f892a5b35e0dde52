"""What a request says: every field in its attribute with its type, what cannot be read left out, identities beside."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from both import done, drained
from openai_spans import CHAT, RESPONSE, SERVER, STREAM, httpx, instructed, parameters, span, tools

from otel_agentops._hashing import identity
from otel_agentops.clients.openai import name_provider as provider_of
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider
from otel_agentops.testing.subject import name_sources

ASK: Any = [{"role": "user", "content": "hi"}]

PARAMETERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"temperature": 0}, {"gen_ai.request.temperature": 0.0}),
    ({"temperature": 0.2, "top_p": 1}, {"gen_ai.request.temperature": 0.2, "gen_ai.request.top_p": 1.0}),
    (
        {"frequency_penalty": 0, "presence_penalty": -1},
        {"gen_ai.request.frequency_penalty": 0.0, "gen_ai.request.presence_penalty": -1.0},
    ),
    ({"max_tokens": 9}, {"gen_ai.request.max_tokens": 9}),
    ({"max_completion_tokens": 9}, {"gen_ai.request.max_tokens": 9}),
    ({"stop": "END"}, {"gen_ai.request.stop_sequences": ["END"]}),
    ({"stop": ["END", "STOP"]}, {"gen_ai.request.stop_sequences": ["END", "STOP"]}),
    ({"n": 1}, {}),
    ({"n": 3}, {"gen_ai.request.choice.count": 3, "gen_ai.response.finish_reasons": ["stop"] * 3}),
    ({"reasoning_effort": "low"}, {"gen_ai.request.reasoning.level": "low"}),
    (
        {"service_tier": "flex"},
        {"openai.request.service_tier": "flex", "openai.response.service_tier": "flex"},
    ),
    ({"service_tier": "auto"}, {}),
    ({"response_format": {"type": "text"}}, {"gen_ai.output.type": "text"}),
    ({"response_format": {"type": "json_object"}}, {"gen_ai.output.type": "json"}),
    ({"logit_bias": {"50256": -100}, "parallel_tool_calls": False}, {}),
    # What is of another type than registered is left out; it shapes the answer all the same.
    ({"temperature": "hot"}, {}),
    ({"temperature": True}, {}),
    ({"stop": 5}, {}),
    ({"stop": ["END", 5]}, {}),
    ({"stop": []}, {}),
    ({"max_tokens": 1.5}, {}),
    ({"max_tokens": 9.0}, {"gen_ai.request.max_tokens": 9}),
    ({"response_format": {"type": 3}}, {}),
    ({"service_tier": 3}, {"openai.response.service_tier": "3"}),
]


@pytest.mark.parametrize(("given", "attributes"), PARAMETERS, ids=[str(given) for given, _ in PARAMETERS])
async def test_parameters(
    provider: FakeProvider, client: Any, seen: Capture, given: dict[str, Any], attributes: dict[str, Any]
) -> None:
    await done(client.chat.completions.create(model="gpt-x", messages=ASK, **given))
    assert seen.spans == [span(provider, CHAT, parameters(**given), attributes)]


async def test_seed_is_recorded_and_not_hashed(provider: FakeProvider, client: Any, seen: Capture) -> None:
    """One that differs on every call would make every call a change."""
    await done(client.chat.completions.create(model="gpt-x", messages=ASK, seed=7, user="u1", metadata={"a": "b"}))
    assert seen.spans == [span(provider, CHAT, {"gen_ai.request.seed": 7}, name_sources(["seed"], "explicit"))]


async def test_omitted_arguments_do_not_leak(provider: FakeProvider, client: Any, seen: Capture) -> None:
    nothing = {"temperature": openai.NOT_GIVEN, "top_p": openai.omit, "stop": None, "tools": openai.omit}
    await done(client.chat.completions.create(model="gpt-x", messages=ASK, **nothing))
    assert provider.requests[-1].body == {"model": "gpt-x", "messages": ASK, "stop": None}
    assert seen.spans == [span(provider, CHAT)]


async def test_extra_body_is_part_of_the_request(provider: FakeProvider, client: Any, seen: Capture) -> None:
    extra = {"top_k": 40, "temperature": 0.3, "top_p": openai.omit, "model": "gpt-z"}
    await done(client.chat.completions.create(model="gpt-x", messages=ASK, temperature=1, top_p=1, extra_body=extra))
    sent = provider.requests[-1].body
    assert sent == {"model": "gpt-z", "messages": ASK, "top_k": 40, "temperature": 0.3}
    read = {"gen_ai.request.top_k": 40, "gen_ai.request.temperature": 0.3}
    model = {
        "gen_ai.request.model": "gpt-z",
        "gen_ai.response.model": "gpt-z",
        "otel_agentops.model.resolution": "echoed",
    }
    shape = parameters(top_k=40, temperature=0.3)
    assert seen.spans == [span(provider, CHAT, shape, read, model, name="chat gpt-z")]


async def test_extra_headers_are_sent_and_not_recorded(provider: FakeProvider, client: Any, seen: Capture) -> None:
    await done(client.chat.completions.create(model="gpt-x", messages=ASK, extra_headers={"x-mine": "1"}))
    assert provider.requests[-1].headers["x-mine"] == "1"
    assert seen.spans == [span(provider, CHAT)]


async def test_the_users_iterators_are_not_consumed(provider: FakeProvider, client: Any, seen: Capture) -> None:
    turns = ({"role": role, "content": role} for role in ("system", "user"))
    await done(client.chat.completions.create(model="gpt-x", messages=turns))
    assert [turn["role"] for turn in provider.requests[-1].body["messages"]] == ["system", "user"]
    assert seen.spans == [span(provider, CHAT, instructed("system"))]


async def test_malformed_hand_made_bodies_make_a_span(provider: FakeProvider, client: Any, seen: Capture) -> None:
    for body in ({"messages": 5, "tools": 5}, {"messages": [5], "tools": [5]}, {"model": 5}):
        await done(client.post("/chat/completions", body=body, cast_to=object))
    unnamed = {"gen_ai.request.model", "gen_ai.response.model"}
    names = [found["name"] for found in seen.spans]
    assert names == ["chat", "chat", "chat"]
    assert [unnamed & set(found["attributes"]) for found in seen.spans] == [set(), set(), {"gen_ai.response.model"}]


# -- prompts

TEXT = {"type": "text", "text": "Be brief."}
PROMPTS: list[tuple[list[dict[str, Any]], tuple[Any, ...]]] = [
    ([{"role": "system", "content": "Be brief."}], ("Be brief.",)),
    ([{"role": "developer", "content": "Be brief."}], ("Be brief.",)),
    ([{"role": "system", "content": [TEXT]}], ("Be brief.",)),
    ([{"role": "system", "content": [TEXT, {**TEXT, "text": "Be kind."}]}], ("Be brief.", "Be kind.")),
    ([{"role": "system", "content": "a"}, *ASK, {"role": "developer", "content": "b"}], ("a", "b")),
]


@pytest.mark.parametrize(("turns", "texts"), PROMPTS)
async def test_instructions_are_the_prompt(
    provider: FakeProvider, client: Any, seen: Capture, turns: Any, texts: tuple[Any, ...]
) -> None:
    await done(client.chat.completions.create(model="gpt-x", messages=turns))
    assert seen.spans == [span(provider, CHAT, instructed(*texts))]


async def test_instructions_of_a_response(provider: FakeProvider, client: Any, seen: Capture) -> None:
    turns = [{"role": "developer", "content": [{"type": "input_text", "text": "Be kind."}]}, *ASK]
    await done(client.responses.create(model="gpt-x", instructions="Be brief.", input=turns))
    assert seen.spans == [span(provider, RESPONSE, instructed("Be brief.", "Be kind."))]


@pytest.mark.parametrize("version", ["3", None])
async def test_a_prompt_kept_by_the_provider(
    provider: FakeProvider, client: Any, seen: Capture, version: str | None
) -> None:
    stored = {"id": "pmpt_1", "variables": {"name": "Ann"}} | ({"version": version} if version else {})
    await done(client.responses.create(model="gpt-x", input="hi", prompt=stored))
    known = {"gen_ai.prompt.name": "pmpt_1", "otel_agentops.prompt.source": "template"}
    if version:
        known["gen_ai.prompt.version"] = version
        known["otel_agentops.prompt.hash"] = identity({"name": "pmpt_1", "version": version})
    assert seen.spans == [span(provider, RESPONSE, known)]


# -- tools

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"name": "weather", "description": "The weather.", "parameters": SCHEMA}
MADE = {"description": "The weather.", "input_schema": SCHEMA}


async def test_tools_of_a_chat(provider: FakeProvider, client: Any, seen: Capture) -> None:
    grammar = {"type": "custom", "custom": {"name": "sql", "format": {"type": "text"}}}
    offered = [{"type": "function", "function": {**WEATHER, "strict": True}}, grammar]
    await done(client.chat.completions.create(model="gpt-x", messages=ASK, tools=offered, tool_choice="auto"))
    offered_tools = tools(weather={**MADE, "strict": True}, sql={"input_schema": {"type": "text"}})
    assert seen.spans == [span(provider, CHAT, offered_tools, parameters(tool_choice="auto"))]


async def test_deprecated_functions_are_tools(provider: FakeProvider, client: Any, seen: Capture) -> None:
    await done(client.chat.completions.create(model="gpt-x", messages=ASK, functions=[WEATHER]))
    assert seen.spans == [span(provider, CHAT, tools(weather=MADE))]


async def test_tools_of_a_response(provider: FakeProvider, client: Any, seen: Capture) -> None:
    flat = {"type": "function", **WEATHER}
    search = {"type": "web_search", "search_context_size": "low"}
    mcp = {"type": "mcp", "server_label": "docs", "server_url": "https://d.test/mcp", "require_approval": "never"}
    secret = {"authorization": "token-of-ann", "headers": {"x-user": "ann"}}
    await done(client.responses.create(model="gpt-x", input="hi", tools=[flat, search, {**mcp, **secret}]))
    offered_tools = tools(weather=MADE, web_search={"settings": search}, docs={"settings": mcp})
    assert seen.spans == [span(provider, RESPONSE, offered_tools)]


async def test_tool_hash_is_equal_in_chat_and_responses(client: Any, seen: Capture) -> None:
    nested = [{"type": "function", "function": WEATHER}]
    await done(client.chat.completions.create(model="gpt-x", messages=ASK, tools=nested))
    await done(client.responses.create(model="gpt-x", input="hi", tools=[{"type": "function", **WEATHER}]))
    chat, response = (found["attributes"]["otel_agentops.tools.hash"] for found in seen.spans)
    assert chat == response


# -- who answers, and where


async def test_azure(provider: FakeProvider, kind: str, seen: Capture) -> None:
    provider.alias("my-deployment", "gpt-x-2026-03-01")
    made: Any = {"sync": openai.AzureOpenAI, "async": openai.AsyncAzureOpenAI}[kind]
    client = made(api_key="k", azure_endpoint=provider.azure_url, api_version="2026-01-01", max_retries=0)
    await done(client.chat.completions.create(model="my-deployment", messages=ASK))
    await drained(await done(client.chat.completions.create(model="my-deployment", messages=ASK, stream=True)))
    assert provider.requests[-1].path.startswith("/openai/deployments/my-deployment/")
    asked = {"gen_ai.request.model": "my-deployment", "gen_ai.provider.name": "azure.ai.openai"}
    uncounted = tuple(key for key in CHAT if key.startswith("gen_ai.usage."))
    assert seen.spans == [
        span(provider, CHAT, asked, name="chat my-deployment"),
        span(provider, CHAT, asked, STREAM, without=uncounted, name="chat my-deployment"),
    ]


def make_azure(provider: FakeProvider, kind: str, place: str) -> Any:
    """Return a client that has the deployment `d 1` at its own place."""
    classes: Any = {"sync": (openai.OpenAI, openai.AzureOpenAI), "async": (openai.AsyncOpenAI, openai.AsyncAzureOpenAI)}
    plain, azure = classes[kind]
    if place == "azure_deployment":
        return azure(
            api_key="k", azure_endpoint=provider.azure_url, azure_deployment="d%201", api_version="1", max_retries=0
        )
    url = f"{provider.azure_url}/openai/deployments/d%201"
    if place == "base_url of Azure":
        return azure(api_key="k", base_url=url, api_version="1", max_retries=0)
    return plain(api_key="k", base_url=url, default_query={"api-version": "1"}, max_retries=0)


@pytest.mark.parametrize("place", ["azure_deployment", "base_url of Azure", "base_url"])
@pytest.mark.parametrize("model", ["another", "", None])
async def test_azure_deployment_at_the_client_is_the_model(
    provider: FakeProvider, kind: str, seen: Capture, place: str, model: str | None
) -> None:
    """The request goes to the deployment of the client, whatever model its body names."""
    client = make_azure(provider, kind, place)
    chats, named = client.chat.completions, {"model": model, "messages": ASK}
    await done(chats.create(**named))
    await drained(await done(chats.create(**named, stream=True)))
    await done((await done(chats.with_raw_response.create(**named))).parse())
    await done(client.completions.create(model=model, prompt="hi"))
    await done(client.embeddings.create(model=model, input="hi"))
    assert {request.path.partition("?")[0].rpartition("/")[0] for request in provider.requests} == {
        "/openai/deployments/d%201/chat",
        "/openai/deployments/d%201",
    }
    assert {seen_span["attributes"]["gen_ai.request.model"] for seen_span in seen.spans} == {"d 1"}
    assert [seen_span["name"] for seen_span in seen.spans] == [
        *["chat d 1"] * 3,
        "text_completion d 1",
        "embeddings d 1",
    ]
    points = [point for points in seen.metrics.values() for point in points]
    assert {point["attributes"]["gen_ai.request.model"] for point in points} == {"d 1"}


async def test_azure_response_goes_past_the_deployment_of_the_client(
    provider: FakeProvider, kind: str, seen: Capture
) -> None:
    """Azure's responses are at no deployment: the body names it."""
    client = make_azure(provider, kind, "azure_deployment")
    await done(client.responses.create(model="my-deployment", input="hi"))
    assert "/deployments/" not in provider.requests[-1].path
    assert seen.spans[0]["attributes"]["gen_ai.request.model"] == "my-deployment"


@pytest.mark.parametrize("model", ["", None])
async def test_empty_model_is_no_name(provider: FakeProvider, client: Any, seen: Capture, model: str | None) -> None:
    """A server of one model names it in its answer: nothing that was asked for is resolved."""
    provider.alias("", "the-only-model")
    await done(client.chat.completions.create(model=model, messages=ASK))
    unnamed = ("gen_ai.request.model", "otel_agentops.model.resolution")
    assert [seen_span["name"] for seen_span in seen.spans] == ["chat"]
    assert not {*unnamed} & {*seen.spans[0]["attributes"]}
    assert seen.spans[0]["attributes"]["gen_ai.response.model"] == "the-only-model"


@pytest.mark.parametrize("stream", [False, True])
async def test_azure_names_the_model_of_a_response_in_a_header(
    provider: FakeProvider, client: Any, seen: Capture, stream: bool
) -> None:
    provider.answer(lambda call: Answer(headers=(("x-ms-served-model", "gpt-x-2026-03-01"),)))
    result = await done(client.responses.create(model="my-deployment", input="hi", stream=stream))
    if stream:
        await drained(result)
    asked = {"gen_ai.request.model": "my-deployment"}
    assert seen.spans == [span(provider, RESPONSE, STREAM if stream else {}, asked, name="chat my-deployment")]


class Elsewhere(httpx.HTTPTransport):
    """Sends what was meant for another host to the local provider."""

    def __init__(self, provider: FakeProvider) -> None:
        super().__init__()
        self._here = httpx.URL(provider.url)

    def handle_request(self, request: Any) -> Any:
        request.url = request.url.copy_with(scheme="http", host=self._here.host, port=self._here.port)
        return super().handle_request(request)


@pytest.mark.parametrize(
    ("url", "name", "where"),
    [
        ("https://api.openai.com/v1", "openai", {"server.address": "api.openai.com", "server.port": 443}),
        ("https://openrouter.ai/api/v1", "openrouter", {"server.address": "openrouter.ai", "server.port": 443}),
        ("https://api.groq.com/openai/v1", "groq", {"server.address": "api.groq.com", "server.port": 443}),
        ("http://vllm.test:8000/v1/", "openai", {"server.address": "vllm.test", "server.port": 8000}),
        ("http://vllm.test", "openai", {"server.address": "vllm.test", "server.port": 80}),
    ],
)
def test_other_hosts(provider: FakeProvider, seen: Capture, url: str, name: str, where: dict[str, Any]) -> None:
    http = httpx.Client(transport=Elsewhere(provider))
    client = openai.OpenAI(api_key="k", base_url=url, http_client=http)
    client.chat.completions.create(model="gpt-x", messages=ASK)
    assert seen.spans == [span(provider, CHAT, {"gen_ai.provider.name": name}, where)]


def test_changed_base_url_changes_the_server(provider: FakeProvider, seen: Capture) -> None:
    client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
    client.chat.completions.create(model="gpt-x", messages=ASK)
    client.base_url = provider.openai_url.replace("127.0.0.1", "localhost")
    client.chat.completions.create(model="gpt-x", messages=ASK)
    assert seen.spans == [span(provider, CHAT, SERVER), span(provider, CHAT, {"server.address": "localhost"})]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("my.openai.azure.com", "azure.ai.openai"),
        ("my.services.ai.azure.com", "azure.ai.inference"),
        ("us-east1-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock"),
        ("api.deepseek.com", "deepseek"),
        ("notopenrouter.ai", "openai"),
        ("", "openai"),
    ],
)
def test_provider_name_is_found_from_the_host(host: str, name: str) -> None:
    assert provider_of(openai.OpenAI(api_key="k"), host) == name
