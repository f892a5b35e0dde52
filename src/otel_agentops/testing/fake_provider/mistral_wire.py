"""Mistral's shapes, below `/mistral` and on Vertex: chat, agents, fill-in-the-middle, embeddings and conversations.

Its chat and embeddings differ from OpenAI's in little: the last chunk of a stream has the usage unasked, an embedding
has an id, and there is no fingerprint.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Call, ToolCall
from otel_agentops.testing.fake_provider.openai_wire import kind_of, pieces
from otel_agentops.testing.fake_provider.wire import Dialect, Reply, bound, sse

PREFIX, VERTEX = "/mistral/", "/publishers/mistralai/models/"
_OPENAIS = ("system_fingerprint", "service_tier")
AGENT = "ag:fake"  # the model behind every agent is asked for under this name


def chat(body: dict[str, Any], model: str, answer: Answer) -> dict[str, Any]:
    whole = openai_wire.chat(body, model, answer)
    return {**_own(whole), "usage": _usage(answer)}


def chunks(body: dict[str, Any], model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    """The last one has the usage, and a tool's call whole: it comes in one piece."""
    calls = [{"index": index, **_call(call)} for index, call in enumerate(answer.tool_calls)]
    said = dataclasses.replace(answer, tool_calls=(), finish=answer.finish or ("tool_calls" if calls else None))
    *before, last = map(_own, openai_wire.chat_chunks({**body, "stream_options": None}, model, said))
    if calls:
        last["choices"][0]["delta"]["tool_calls"] = calls
    yield from before
    yield {**last, "usage": _usage(answer)}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def conversation(body: dict[str, Any], model: str, answer: Answer) -> dict[str, Any]:
    calls = [
        {"type": "function.call", "object": "entry", "id": f"fc_{call.id}", "tool_call_id": call.id,
         "name": call.name, "arguments": call.arguments, "model": model}
        for call in answer.tool_calls
    ]  # fmt: skip
    said = {"type": "message.output", "object": "entry", "id": f"msg_{answer.id}", "role": "assistant", "model": model}
    outputs = calls or [{**said, "content": answer.text}]
    conversation_id = f"conv_{answer.id}"
    usage = _usage(answer)
    return {
        "object": "conversation.response", "conversation_id": conversation_id, "outputs": outputs, "usage": usage,
    }  # fmt: skip


def conversation_events(body: dict[str, Any], model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    yield _event("conversation.response.started", conversation_id=f"conv_{answer.id}")
    for call in answer.tool_calls:
        for part in pieces(call.arguments, 2):
            yield _event(
                "function.call.delta", id=f"fc_{call.id}", tool_call_id=call.id, name=call.name, arguments=part,
                model=model,
            )  # fmt: skip
    for part in pieces(answer.text, answer.chunks) if not answer.tool_calls else ():
        yield _event("message.output.delta", id=f"msg_{answer.id}", role="assistant", content=part, model=model)
    yield _event("conversation.response.done", usage=_usage(answer))


def _event(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, **data}


def _own(openais: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in openais.items() if name not in _OPENAIS}


def _usage(answer: Answer) -> dict[str, Any]:
    """Reasoning is not counted apart."""
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
    }


def _error(message: str, status: int) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind_of(status), "param": None, "code": str(status)}


def _asked(path: str, body: dict[str, Any]) -> str:
    return str(body.get("model") or AGENT)


def _reply(call: Call, answer: Answer) -> Reply | None:
    path = call.path.partition("?")[0]
    if call.method != "POST":
        return None
    body, said = call.body, bound(call.body, answer)
    if path.endswith("/embeddings"):
        return Reply(lambda: {"id": f"embd_{said.id}", **openai_wire.embeddings(body, call.model)})
    if path.endswith("/responses"):
        events = (lambda: openai_wire.response_events(body, call.model, said)) if body.get("stream") else None
        return Reply(lambda: openai_wire.response(body, call.model, said), events)
    if "/conversations" in path:
        streamed = (lambda: conversation_events(body, call.model, said)) if body.get("stream") else None
        return Reply(lambda: conversation(body, call.model, said), streamed)
    if not path.endswith(("/completions", ":rawPredict", ":streamRawPredict")):
        return None
    events = (lambda: chunks(body, call.model, said)) if body.get("stream") else None
    return Reply(lambda: chat(body, call.model, said), events, b"data: [DONE]\n\n")


DIALECT = Dialect(
    speaks=lambda path: path.startswith(PREFIX) or VERTEX in path,
    reply=_reply,
    error=_error,
    model=_asked,
    failure=lambda message: sse(_error(message, 500)),
)
