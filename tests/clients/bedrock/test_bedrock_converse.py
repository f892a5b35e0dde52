"""Converse: what a request names in its own words, and which model it is about."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bedrock_subject import call, spec
from both import done, drained

from otel_agentops._hashing import identity
from otel_agentops.clients.bedrock._converse import finish_stream, fold_event
from otel_agentops.clients.bedrock._models import Model, parse_model_id
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import Answer, FakeProvider, ToolCall
from otel_agentops.testing.subject import TOOL

HI: Any = [{"role": "user", "content": [{"text": "hi"}]}]
CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
ACCOUNT = "arn:aws:bedrock:eu-west-1:123456789012"


async def asked(seen: Capture, client: Any, **arguments: Any) -> dict[str, Any]:
    """The attributes of the span of a call."""
    await done(call(client, "converse", **{"modelId": CLAUDE, "messages": HI, **arguments}))
    (found,) = seen.spans
    seen.clear()
    return {**found["attributes"], "name": found["name"]}


@pytest.mark.parametrize(
    ("given", "model"),
    [
        (CLAUDE, Model(CLAUDE, "anthropic.claude-3-haiku-20240307-v1")),
        (f"eu.{CLAUDE}", Model(f"eu.{CLAUDE}", "anthropic.claude-3-haiku-20240307-v1")),
        (
            f"arn:aws:bedrock:eu-west-1::foundation-model/{CLAUDE}",
            Model(f"arn:aws:bedrock:eu-west-1::foundation-model/{CLAUDE}", "anthropic.claude-3-haiku-20240307-v1"),
        ),
        (
            f"{ACCOUNT}:inference-profile/global.{CLAUDE}",
            Model(f"{ACCOUNT}:inference-profile/global.{CLAUDE}", "anthropic.claude-3-haiku-20240307-v1"),
        ),
        (
            f"{ACCOUNT}:application-inference-profile/abc",
            Model(f"{ACCOUNT}:application-inference-profile/abc", ""),
        ),
        (f"{ACCOUNT}:provisioned-model/abc", Model(f"{ACCOUNT}:provisioned-model/abc", "")),
        (f"{ACCOUNT}:imported-model/abc", Model(f"{ACCOUNT}:imported-model/abc", "")),
        (f"{ACCOUNT}:prompt/PROMPT1234:3", Model(None, "", ("PROMPT1234", "3"))),
        (f"{ACCOUNT}:prompt/PROMPT1234", Model(None, "", ("PROMPT1234", None))),
        ("", Model(None, "")),
    ],
)
def test_model_id_is_parsed(given: str, model: Model) -> None:
    assert parse_model_id(given) == model


async def test_managed_prompt_is_a_template(provider: FakeProvider, seen: Capture, bedrock: Any) -> None:
    """Its model is the service's secret; what the application fills in is content."""
    await done(
        call(
            bedrock,
            "converse",
            modelId=f"{ACCOUNT}:prompt/PROMPT1234:3",
            promptVariables={"city": {"text": "Rome"}},
        )
    )
    (found,) = seen.spans
    attributes = found["attributes"]
    assert found["name"] == "chat"
    assert "gen_ai.request.model" not in attributes
    assert attributes["otel_agentops.prompt.source"] == "template"
    assert attributes["gen_ai.prompt.name"] == "PROMPT1234"
    assert attributes["gen_ai.prompt.version"] == "3"
    assert "otel_agentops.params.hash" not in attributes
    assert "Rome" not in str(found)


async def test_cache_points_change_no_hash(provider: FakeProvider, seen: Capture, bedrock: Any) -> None:
    mark = {"cachePoint": {"type": "default"}}
    tool = {"toolSpec": spec(TOOL)}
    plain = await asked(seen, bedrock, system=[{"text": "Be short."}], toolConfig={"tools": [tool]})
    marked = await asked(seen, bedrock, system=[{"text": "Be short."}, mark], toolConfig={"tools": [tool, mark]})
    for name in ("otel_agentops.prompt.hash", "otel_agentops.tools.hash", "otel_agentops.tools.versions"):
        assert plain[name] == marked[name]
    assert plain["otel_agentops.prompt.hash"] == identity(["Be short."])


async def test_guarded_text_is_hashed_as_text(provider: FakeProvider, seen: Capture, bedrock: Any) -> None:
    guarded = {"guardContent": {"text": {"text": "Be short."}}}
    found = await asked(seen, bedrock, system=[guarded])
    assert found["otel_agentops.prompt.hash"] == identity(["Be short."])


async def test_converse_settings_are_parameters(provider: FakeProvider, seen: Capture, bedrock: Any) -> None:
    """Sampling is on one level with the rest; what differs on every call shapes nothing."""
    more = {
        "inferenceConfig": {"temperature": 0, "topP": 0.5, "maxTokens": 9, "stopSequences": ["x"]},
        "additionalModelRequestFields": {"top_k": 20, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        "performanceConfig": {"latency": "optimized"},
        "guardrailConfig": {"guardrailIdentifier": "gr-1", "guardrailVersion": "2"},
        "toolConfig": {"tools": [{"toolSpec": spec(TOOL)}], "toolChoice": {"tool": {"name": "weather"}}},
    }
    found = await asked(seen, bedrock, **more, requestMetadata={"user": "7"})
    params = {
        **more["inferenceConfig"],
        "toolChoice": {"tool": {"name": "weather"}},
        **{name: value for name, value in more.items() if name not in ("inferenceConfig", "toolConfig")},
    }
    assert found["otel_agentops.params.hash"] == identity(params)
    assert {name for name in found if name.startswith("otel_agentops.param.")} == {
        f"otel_agentops.param.{name}.source" for name in params
    }
    wanted = {
        "aws.bedrock.guardrail.id": "gr-1",
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.top_k": 20,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.stop_sequences": ["x"],
    }
    assert {name: found[name] for name in wanted} == wanted
    assert type(found["gen_ai.request.temperature"]) is float


async def test_answer_bound_to_a_schema_has_output_type_json(
    provider: FakeProvider, seen: Capture, make: Any, kind: str
) -> None:
    if kind == "async":
        pytest.skip("the same parameters")
    client = make()
    if "outputConfig" not in client.meta.service_model.operation_model("Converse").input_shape.members:
        pytest.skip("this botocore has no outputConfig")
    schema = {"type": "object", "properties": {"found": {"type": "boolean"}}}
    structure = {"jsonSchema": {"schema": json.dumps(schema), "name": "order"}}
    found = await asked(seen, client, outputConfig={"textFormat": {"type": "json_schema", "structure": structure}})
    assert found["gen_ai.output.type"] == "json"
    assert found["otel_agentops.param.outputConfig.source"] == "explicit"


def test_prompt_router_names_the_model_it_chose() -> None:
    """The one case in which Converse names a model."""
    trace = {"trace": {"promptRouter": {"invokedModelId": CLAUDE}}, "usage": {"inputTokens": 1, "outputTokens": 2}}
    state: dict[str, Any] = {}
    assert fold_event(state, {"metadata": trace})
    assert finish_stream(state).model == CLAUDE


async def test_requested_tool_calls_are_counted(provider: FakeProvider, seen: Capture, bedrock: Any) -> None:
    """Plain and streamed: the tool that a task repeats is counted from them."""
    from otel_agentops import task

    provider.answer(lambda call: Answer(text="", tool_calls=(ToolCall("weather", '{"city": "Rome"}'),)))
    arguments: Any = {"modelId": CLAUDE, "messages": HI, "toolConfig": {"tools": [{"toolSpec": spec(TOOL)}]}}
    with task("weather"):
        await done(call(bedrock, "converse", **arguments))
        await drained((await done(call(bedrock, "converse_stream", **arguments)))["stream"])
    *_, root = seen.spans
    assert root["attributes"]["otel_agentops.task.tool_repeats"] == 2
