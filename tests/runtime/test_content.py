"""Content is recorded where it is asked for, redacted, within its limit, and never twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from programs import beside_peer

import otel_agentops
from otel_agentops import _config, _telemetry
from otel_agentops._sinks.content import ContentSink
from otel_agentops.clients.anthropic import Instrumentor as AnthropicInstrumentor
from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing import Capture, Record, capture
from otel_agentops.testing.fake_provider import FakeProvider, Status

Said = Callable[[], list[str]]
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
REDACT, LIMIT = "OTEL_AGENTOPS_REDACT", "OTEL_AGENTOPS_CONTENT_LIMIT"
TURNS: Any = [{"role": "user", "content": "Umbrella?"}]
INPUT = [{"role": "user", "parts": [{"type": "text", "content": "Umbrella?"}]}]
OUTPUT = [{"role": "assistant", "parts": [{"type": "text", "content": "Hello there."}], "finish_reason": "stop"}]


def ask(client: openai.OpenAI, content: Any = "Umbrella?") -> None:
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}])


def read_only(seen: Capture) -> Record:
    """The content on the only span."""
    (span,) = seen.spans
    return _read_messages(span["attributes"])


def _read_messages(attributes: Record) -> Record:
    names = [name for name in attributes if name.endswith((".messages", ".system_instructions"))]
    return {name: json.loads(attributes[name]) for name in names}


# -- the setting


@pytest.mark.parametrize(
    ("value", "has_span", "has_event"),
    [
        ("", False, False),
        ("NO_CONTENT", False, False),
        ("span_only", True, False),
        ("EVENT_ONLY", False, True),
        (" SPAN_AND_EVENT ", True, True),
        ("true", False, True),
        ("False", False, False),
        ("yes", False, False),
    ],
)
def test_setting_says_where_content_goes(
    gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, said: Said, value: str, has_span: bool, has_event: bool
) -> None:
    monkeypatch.setenv(CAPTURE, value)
    with capture(Instrumentor()) as seen:
        ask(gpt)
        assert bool(read_only(seen)) is has_span
        assert len(seen.events) == has_event
        sinks = [sink for sink in _telemetry.get_default().sinks if isinstance(sink, ContentSink)]
    assert len(sinks) == (has_span or has_event), "it costs nothing if nobody asked for it"
    modes = "NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT"
    assert said() == ([f"{CAPTURE}='yes' is not one of {modes}; NO_CONTENT is used"] if value == "yes" else [])


def test_event_has_what_the_span_has(gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE, "EVENT_ONLY")
    with capture(Instrumentor()) as seen:
        ask(gpt)
        (span,), (event,) = seen.spans, seen.events
    assert event["event_name"] == "gen_ai.client.inference.operation.details"
    assert event["in_span"]
    content = {"gen_ai.input.messages": INPUT, "gen_ai.output.messages": OUTPUT}
    assert json.loads(json.dumps(event["attributes"])) == json.loads(json.dumps({**span["attributes"], **content}))


def test_unsampled_call_has_its_event(gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are not sampled; on spans that nobody records nothing is written, and nothing read."""
    seen = Capture()
    providers = {**seen.providers, "tracer_provider": TracerProvider(sampler=ALWAYS_OFF)}
    for mode, count in (("SPAN_AND_EVENT", 1), ("SPAN_ONLY", 0)):
        monkeypatch.setenv(CAPTURE, mode)
        before = _telemetry.replace_default(_telemetry.Telemetry(_config.read_config(), **providers))
        instrumentor = Instrumentor()
        instrumentor.instrument(**providers, skip_dep_check=True)
        seen.clear()
        ask(gpt)
        instrumentor.uninstrument()
        _telemetry.replace_default(before)
        assert len(seen.events) == count


# -- limits


def test_long_part_is_left_out_and_json_stays_whole(gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    monkeypatch.setenv(LIMIT, "400")
    parts = [{"type": "text", "text": "Umbrella?"}, {"type": "text", "text": "x" * 9000}]
    with capture(Instrumentor()) as seen:
        ask(gpt, parts)
        (span,) = seen.spans
    value = span["attributes"]["gen_ai.input.messages"]
    assert len(value.encode()) <= 400
    omitted = {"type": "text", "content": "", "omitted_bytes": 9002}
    assert json.loads(value) == [{"role": "user", "parts": [{"type": "text", "content": "Umbrella?"}, omitted]}]


def test_limit_of_the_sdk_cuts_no_json(gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "200")
    with capture(Instrumentor()) as seen:
        ask(gpt, "x" * 9000)
        (message,) = read_only(seen)["gen_ai.input.messages"]
    assert message["parts"] == [{"type": "text", "content": "", "omitted_bytes": 9002}]


# -- redaction


def test_secrets_are_redacted_everywhere(gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_AND_EVENT")
    secret = "sk-proj-a1b2c3d4e5f6g7h8"
    with capture(Instrumentor()) as seen:
        ask(gpt, f"why does {secret} not work?")

        @otel_agentops.tool("login")
        def login(password: str, user: str) -> dict[str, str]:
            return {"token": "tok-1", "user": user}

        login("hunter2", "ann")
        emitted = f"{seen.spans} {seen.events}"
        tool = seen.spans[-1]["attributes"]
    assert secret not in emitted
    assert "hunter2" not in emitted
    assert "why does [redacted] not work?" in emitted
    assert json.loads(tool["gen_ai.tool.call.arguments"]) == {"password": "[redacted]", "user": "ann"}
    assert json.loads(tool["gen_ai.tool.call.result"]) == {"token": "[redacted]", "user": "ann"}


def shout(name: str, value: Any) -> Any:
    """A user's function: one attribute changed, one left out."""
    assert name.startswith("gen_ai.")
    if name == "gen_ai.output.messages":
        return None
    return json.loads(json.dumps(value).upper().replace("UMBRELLA", "sk-proj-a1b2c3d4e5f6g7h8"))


def test_function_of_the_user_comes_before_the_patterns(gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    monkeypatch.setenv(REDACT, f"{__name__}:shout")
    with capture(Instrumentor()) as seen:
        ask(gpt)
        content = read_only(seen)
    assert content == {
        "gen_ai.input.messages": [{"ROLE": "USER", "PARTS": [{"TYPE": "TEXT", "CONTENT": "[redacted]?"}]}]
    }


def fail(name: str, value: Any) -> Any:
    raise ValueError(f"cannot read {value}")


@pytest.mark.parametrize("function", [f"{__name__}:fail", f"{__name__}:absent", "no_such_module:f", "no_colon"])
def test_no_content_leaves_if_the_function_fails(
    gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, said: Said, production: None, function: str
) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_AND_EVENT")
    monkeypatch.setenv(REDACT, function)
    with capture(Instrumentor()) as seen:
        ask(gpt)
        emitted = f"{seen.spans} {seen.events}"
        assert len(seen.spans) == 1
    assert "Umbrella" not in emitted
    assert "Hello there" not in emitted
    (sentence,) = said()
    assert "Umbrella" not in sentence, "an exception of the user's function may quote what was said"


def test_failure_of_a_reader_is_logged_without_content(
    gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, said: Said, production: None
) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    monkeypatch.setattr(ContentSink, "request_read", lambda sink, call, body: fail("body", body))
    with capture(Instrumentor()) as seen:
        ask(gpt)
        assert len(seen.spans) == 1
    (sentence,) = said()
    assert "ValueError: its text may quote content" in sentence


# -- tools and retrievals


def test_result_of_a_tool_is_not_parsed_without_content(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[object] = []
    monkeypatch.setattr("otel_agentops._coerce.parse_json", parsed.append)

    @otel_agentops.tool("weather")
    def weather() -> str:
        return '{"sky": "rainy"}'

    with capture(Instrumentor()) as seen:
        assert weather() == '{"sky": "rainy"}'
        assert len(seen.spans) == 1
    assert parsed == []


def test_tool_tells_arguments_and_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_AND_EVENT")
    with capture() as seen:
        with otel_agentops.tool("weather", arguments='{"city": "Paris"}') as weather:
            weather.record_result("rainy")
        with otel_agentops.tool("weather", arguments={"city": "Rome"}) as weather:
            weather.fail()
            weather.record_result("no such city")
        spans = [span["attributes"] for span in seen.spans]
        assert seen.events == [], "the convention has an event of inferences alone"
    names = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
    assert [[attributes.get(name) for name in names] for attributes in spans] == [
        ['{"city":"Paris"}', "rainy"],
        ['{"city":"Rome"}', None],
    ]


def read_words(seen: Capture) -> dict[str, Record]:
    """Return the messages and instructions of each span by its name."""
    return {span["name"]: _read_messages(span["attributes"]) for span in seen.spans}


def say(role: str, text: str, **more: str) -> Record:
    return {"role": role, "parts": [{"type": "text", "content": text}], **more}


def test_agents_tell_instructions_input_and_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_AND_EVENT")

    @otel_agentops.task("researcher", instructions="Cite your sources.", input="What is the weather?")
    def research() -> str:
        return "Rainy."

    with capture() as seen:
        with otel_agentops.task("support", input=INPUT) as run:
            research()
            with otel_agentops.task(
                "writer", input=[{"role": "user", "content": "Write."}, {"content": "Now."}]
            ) as writer:
                writer.record_result([{"parts": [{"type": "text", "content": "Take it."}], "finish_reason": "length"}])
            run.record_result("Take an umbrella.")
        assert seen.events == [], "the convention has an event of inferences alone"
        assert read_words(seen) == {
            "invoke_agent researcher": {
                "gen_ai.system_instructions": [{"type": "text", "content": "Cite your sources."}],
                "gen_ai.input.messages": [say("user", "What is the weather?")],
                "gen_ai.output.messages": [say("assistant", "Rainy.", finish_reason="stop")],
            },
            "invoke_agent writer": {
                "gen_ai.input.messages": [say("user", "Write."), say("user", "Now.")],
                "gen_ai.output.messages": [say("assistant", "Take it.", finish_reason="length")],
            },
            "invoke_workflow support": {
                "gen_ai.input.messages": INPUT,
                "gen_ai.output.messages": [say("assistant", "Take an umbrella.", finish_reason="stop")],
            },
        }


def test_words_of_an_agent_are_redacted_and_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    monkeypatch.setenv(LIMIT, "200")
    with capture() as seen:
        with otel_agentops.task("support", input="my key is sk-proj-a1b2c3d4e5f6g7h8") as run:
            run.record_result("x" * 9000)
        (content,) = read_words(seen).values()
    omitted = {"type": "text", "content": "", "omitted_bytes": 9002}
    assert content == {
        "gen_ai.input.messages": [say("user", "my key is [redacted]")],
        "gen_ai.output.messages": [{"role": "assistant", "parts": [omitted], "finish_reason": "stop"}],
    }


@pytest.mark.parametrize(
    "words", [7, [], ["Umbrella?"], [{"role": "user"}], [{"role": "user", "content": 7}], {"a": 1}]
)
def test_input_of_another_type_is_left_out(monkeypatch: pytest.MonkeyPatch, said: Said, words: Any) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    with capture() as seen:
        with otel_agentops.task("support", input=words) as run:
            run.record_result(words)
        assert read_words(seen) == {"invoke_workflow support": {}}
    assert said() == ["the input of 'support' is left out: give a text, or messages with a role and parts"]


def test_retrieval_tells_query_and_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    with capture() as seen:
        with otel_agentops.retrieval("articles", query="where is my parcel") as search:
            search.documents([{"id": 7, "score": 0.9, "text": "A parcel takes a day."}, "b"])
        (span,) = seen.spans
    assert span["attributes"]["gen_ai.retrieval.query.text"] == "where is my parcel"
    assert json.loads(span["attributes"]["gen_ai.retrieval.documents"]) == [
        {"id": "7", "score": 0.9, "content": "A parcel takes a day."},
        {"id": "b"},
    ]


def test_helpers_tell_no_content_unless_asked(seen: Capture) -> None:
    with otel_agentops.tool("weather", arguments={"city": "Paris"}) as weather:
        weather.record_result("rainy")
    with otel_agentops.retrieval("articles", query="where is my parcel") as search:
        search.documents([{"id": 7, "text": "A parcel takes a day."}])
    with otel_agentops.task("support", input="a parcel", instructions="of Paris") as run:
        run.record_result("rainy")
    assert not [words for words in ("Paris", "rainy", "parcel") if words in str(seen.spans)]


# -- beside the span of another instrumentation


@pytest.mark.parametrize(
    ("scope", "attributes", "is_written"),
    [
        ("my_framework", {}, True),
        ("anthropic", {"gen_ai.prompt.name": "greeting"}, True),
        ("my_framework", {"gen_ai.input.messages": "theirs"}, False),
        ("openinference.instrumentation.openai", {"input.value": "theirs"}, False),
        ("openinference.instrumentation.openai", {"llm.input_messages.0.message.content": "theirs"}, False),
        ("opentelemetry.instrumentation.openai.v1", {"gen_ai.prompt.0.content": "theirs"}, False),
        ("opentelemetry.instrumentation.genai.openai", {}, False),
        ("opentelemetry.instrumentation.openai_v2", {}, False),
    ],
)
def test_foreign_span_has_content_once(
    gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, scope: str, attributes: dict[str, str], is_written: bool
) -> None:
    monkeypatch.setenv(CAPTURE, "SPAN_AND_EVENT")
    with capture(Instrumentor()) as seen:
        tracer = seen.tracer_provider.get_tracer(scope)
        with tracer.start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat", **attributes}):
            ask(gpt)
        (span,), events = seen.spans, seen.events
    expected = {"gen_ai.input.messages": json.dumps(INPUT, separators=(",", ":"))} if is_written else attributes
    assert {name: span["attributes"].get(name) for name in expected} == expected
    assert ("gen_ai.output.messages" in span["attributes"]) is is_written
    assert len(events) == is_written


@pytest.mark.skipif(not hasattr(anthropic, "_tracing"), reason="anthropic before 1.14 has no tracing of its own")
def test_sdk_span_has_content_and_stop_sequences(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop sequences are words of the application, which an SDK's own span leaves out."""
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    with capture(AnthropicInstrumentor()) as seen:
        tracing: Any = {"open_telemetry": {"tracer_provider": seen.tracer_provider}}
        claude = anthropic.Anthropic(api_key="k", base_url=provider.anthropic_url, **tracing)
        claude.messages.create(model="m", max_tokens=9, messages=TURNS, stop_sequences=["END"])
        (span,) = seen.spans
    assert span["name"] == "anthropic.messages.create"
    assert span["attributes"]["gen_ai.request.stop_sequences"] == ["END"]
    assert _read_messages(span["attributes"]) == {"gen_ai.input.messages": INPUT, "gen_ai.output.messages": OUTPUT}


def test_failed_call_in_a_foreign_span_has_its_input(
    gpt: openai.OpenAI, monkeypatch: pytest.MonkeyPatch, provider: FakeProvider
) -> None:
    """Its maker ends the span before the failure is known here."""
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    provider.script(Status(400))
    with capture(Instrumentor()) as seen:
        tracer = seen.tracer_provider.get_tracer("my_framework")
        with pytest.raises(openai.BadRequestError), tracer.start_as_current_span("chat m"):
            ask(gpt)
        assert read_only(seen) == {"gen_ai.input.messages": INPUT}


@pytest.mark.parametrize(
    "peer",
    [
        pytest.param(f"{package}:OpenAIInstrumentor", marks=pytest.mark.rotation("content beside others", package, 3))
        for package in (
            "opentelemetry.instrumentation.genai.openai",
            "opentelemetry.instrumentation.openai",
            "openinference.instrumentation.openai",
        )
    ],
)
@pytest.mark.parametrize("mode", ["SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"])
def test_real_peer_and_we_tell_content_once(monkeypatch: pytest.MonkeyPatch, peer: str, mode: str) -> None:
    """Each word is on the span under one key at most, and in one event at most."""
    package = peer.partition(":")[0].replace(".", "-")
    if not list(metadata.distributions(name=package)):
        pytest.skip(f"{package} is not installed here")
    monkeypatch.setenv(CAPTURE, mode)
    program = [sys.executable, beside_peer.__file__, peer]
    told = json.loads(subprocess.run(program, check=True, capture_output=True, timeout=120).stdout)
    assert len(told["keys"]) <= 1
    assert told["events"] <= 1
