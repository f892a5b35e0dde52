"""Completions, deployments, versions of a model, and attempts that the SDK's transport makes."""

from __future__ import annotations

from typing import Any

import pytest
from both import done, drained
from content_schemas import read_words
from ibm_watsonx_ai.wml_client_error import WMLClientError
from leave_stream import check_complaints
from sent_content import check_content
from watsonx_subject import HOST, WatsonxSubject

from otel_agentops import task
from otel_agentops._hashing import identity
from otel_agentops.clients.watsonx import Instrumentor, read_generation_response
from otel_agentops.testing import SECONDS, Capture
from otel_agentops.testing.fake_provider import Break, Fail, FakeProvider, Status
from otel_agentops.testing.subject import name_sources

PARAMS: Any = {"max_new_tokens": 9, "random_seed": 7, "stop_sequences": ["END"], "temperature": 0.0}
SENT = {
    "gen_ai.operation.name": "text_completion",
    "gen_ai.provider.name": "ibm.watsonx.ai",
    "gen_ai.request.max_tokens": 9,
    "gen_ai.request.model": "granite-x",
    "gen_ai.request.seed": 7,
    "gen_ai.request.stop_sequences": ["END"],
    "gen_ai.request.temperature": 0.0,
    "otel_agentops.attempt.count": 1,
    "otel_agentops.attempt.statuses": [200],
    **name_sources(PARAMS, "explicit"),
    **name_sources(["top_p", "top_k"]),
    "otel_agentops.params.hash": identity({name: PARAMS[name] for name in PARAMS if name != "random_seed"}),
    "otel_agentops.prompt.source": "none",
    "server.address": HOST,
    "server.port": 443,
}
ANSWERED = {
    "gen_ai.response.finish_reasons": ["eos_token"],
    "gen_ai.response.model": "granite-x-0309",
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 5,
    "otel_agentops.model.resolution": "resolved",
}
STREAMED = {"gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": SECONDS}


def span(*attributes: dict[str, Any], name: str = "text_completion granite-x", **more: Any) -> dict[str, Any]:
    """A root span of the client."""
    found = {key: value for each in attributes for key, value in each.items()}
    kept = dict(sorted((key, value) for key, value in found.items() if value is not None))
    return {"name": name, "kind": "CLIENT", "status": "UNSET", "parent": None, "attributes": kept, **more}


async def test_generate(seen: Capture, ibm: Any) -> None:
    result = ibm.model(model_id="granite-x", params=PARAMS).generate("hi")
    assert result["results"][0]["generated_text"] == "Hello there."
    assert seen.spans == [span(SENT, ANSWERED)]


async def test_agenerate(provider: FakeProvider, seen: Capture) -> None:
    client = WatsonxSubject().client("async", provider)
    await client.model(model_id="granite-x", params=PARAMS).agenerate("hi")
    await drained(await done(client.model(model_id="granite-x", params=PARAMS).agenerate_stream("hi")))
    assert seen.spans == [span(SENT, ANSWERED), span(SENT, ANSWERED, STREAMED)]


async def test_a_stream_of_pieces(seen: Capture, ibm: Any) -> None:
    """Input is counted in the first piece, and output is the count so far."""
    await drained(ibm.model(model_id="granite-x", params=PARAMS).generate_text_stream("hi", raw_response=True))
    assert seen.spans == [span(SENT, ANSWERED, STREAMED)]


async def test_a_stream_of_text_alone(seen: Capture, ibm: Any) -> None:
    """What the application is not given is not seen: neither counts nor the model that answered."""
    found = ibm.model(model_id="granite-x", params=PARAMS).generate_text_stream("hi")
    assert "".join(await drained(found)) == "Hello there."
    unknown = {**dict.fromkeys(ANSWERED), "otel_agentops.model.resolution": "unreported"}
    assert seen.spans == [span(SENT, unknown, STREAMED)]


async def test_many_prompts(seen: Capture, ibm: Any) -> None:
    """Each is a call of its own, in a thread of its own."""
    ibm.model(model_id="granite-x", params=PARAMS).generate(["hi", "ho", "hu"])
    assert seen.spans == [span(SENT, ANSWERED)] * 3


async def test_a_deployment(seen: Capture, ibm: Any) -> None:
    """The deployment is what is asked for; the provider says which model it has."""
    model = ibm.model(deployment_id="d1")
    model.chat(messages=[{"role": "user", "content": "hi"}])
    await drained(model.chat_stream(messages=[{"role": "user", "content": "hi"}]))
    assert [(found["name"], found["attributes"].get("gen_ai.request.model")) for found in seen.spans] == [
        ("chat d1", "d1")
    ] * 2
    assert [found["attributes"]["gen_ai.response.model"] for found in seen.spans] == ["d1", "d1"]


def test_the_version_of_a_model() -> None:
    """It moves under the same id, so it is a part of what answered."""
    answer = read_generation_response({"model_id": "granite-x", "model_version": "3.3.0", "results": [{"seed": 4}]})
    assert (answer.model, answer.input_tokens, answer.effective_params) == ("granite-x@3.3.0", None, {"random_seed": 4})


async def test_attempts_of_the_transport(provider: FakeProvider, seen: Capture, ibm: Any) -> None:
    """503 and a lost connection are tried again below what posts, 429 above."""
    provider.script(Status(503), Break(), Status(429, retry_after=0.01))
    with task("refund"):
        ibm.model(model_id="granite-x", params=PARAMS).generate("hi")
    call, root = seen.spans
    assert call["attributes"]["otel_agentops.attempt.statuses"] == [503, 0, 429, 200]
    assert call["attributes"]["otel_agentops.attempt.retry_after"] == [0.01]
    assert root["attributes"]["otel_agentops.task.llm_attempts"] == len(provider.requests) == 4


async def test_content_of_each_attempt(provider: FakeProvider, instrumentor: Instrumentor) -> None:
    provider.script(Status(503), Break(), Status(429, retry_after=0.01))
    with check_content(provider, instrumentor):
        client = WatsonxSubject().client("sync", provider, retries=3)
        client.model(model_id="granite-x", params=PARAMS).generate("hi")
        await drained(client.model(model_id="granite-x").generate_text_stream("hi"))
        await WatsonxSubject().client("async", provider).model(model_id="granite-x").agenerate("hi")
    assert len(provider.requests) == 6


async def test_an_error_in_a_stream(provider: FakeProvider, seen: Capture, ibm: Any) -> None:
    provider.script(Fail(after=1))
    with pytest.raises(WMLClientError):
        await drained(ibm.model(model_id="granite-x").chat_stream(messages=[{"role": "user", "content": "hi"}]))
    (only,) = seen.spans
    assert only["attributes"]["error.type"] == "ibm_watsonx_ai.wml_client_error.WMLClientError"
    assert only["attributes"]["gen_ai.response.model"] == "granite-x-0309"


def test_stream_left_at_the_end_of_the_loop_is_quiet() -> None:
    check_complaints("watsonx")


@pytest.mark.parametrize("streams", [False, True])
def test_content(content: Capture, ibm: Any, streams: bool) -> None:
    model = ibm.model(model_id="granite-x", params=PARAMS)
    if streams:
        list(model.generate_text_stream("hi"))
    else:
        model.generate("hi")
    assert read_words(content) == [("user", "hi"), ("assistant", "Hello there.")]
