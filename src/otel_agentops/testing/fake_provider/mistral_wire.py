"""Mistral's shapes, below `/mistral` and on Vertex: chat, agents, fill-in-the-middle, embeddings and conversations.

Its chat and embeddings differ little from OpenAI's: the last chunk of a stream always has the usage, an embedding has
an id, and there is no fingerprint.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call, Json
from otel_agentops.testing.fake_provider.content import split_text
from otel_agentops.testing.fake_provider.wire import SSE_DONE, Dialect, Route


def write_chat(call: Call, answer: Answer) -> Body:
    """Return a chat completion."""
    return {**_drop_openai_keys(openai_wire.write_chat(call, answer)), "usage": _write_usage(answer)}


def write_chat_chunks(call: Call, answer: Answer) -> Iterator[Body]:
    """Yield the chunks of a chat completion; the last one has the usage, and all of every tool call."""
    calls = [
        {"index": index, **openai_wire.write_tool_call(tool_call, tool_call.arguments)}
        for index, tool_call in enumerate(answer.tool_calls)
    ]
    words = dataclasses.replace(answer, tool_calls=(), finish=answer.finish or ("tool_calls" if calls else None))
    *chunks, last = map(_drop_openai_keys, openai_wire.write_chat_chunks(call, words, has_usage=False))
    if calls:
        last["choices"][0]["delta"]["tool_calls"] = calls
    yield from chunks
    yield {**last, "usage": _write_usage(answer)}


def write_conversation(call: Call, answer: Answer) -> Json:
    """Return the response of a conversation."""
    outputs = [
        {"type": "function.call", "object": "entry", "id": f"fc_{tool_call.id}", "tool_call_id": tool_call.id,
         "name": tool_call.name, "arguments": tool_call.arguments, "model": call.model}
        for tool_call in answer.tool_calls
    ] or [
        {"type": "message.output", "object": "entry", "id": f"msg_{answer.id}", "role": "assistant",
         "model": call.model, "content": answer.text}
    ]  # fmt: skip
    return {
        "object": "conversation.response", "conversation_id": f"conv_{answer.id}", "outputs": outputs,
        "usage": _write_usage(answer),
    }  # fmt: skip


def write_conversation_events(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the events of a conversation."""
    yield {"type": "conversation.response.started", "conversation_id": f"conv_{answer.id}"}
    for tool_call in answer.tool_calls:
        for part in split_text(tool_call.arguments, 2):
            yield {
                "type": "function.call.delta", "id": f"fc_{tool_call.id}", "tool_call_id": tool_call.id,
                "name": tool_call.name, "arguments": part, "model": call.model,
            }  # fmt: skip
    for part in split_text(answer.text, answer.chunks) if not answer.tool_calls else ():
        yield {
            "type": "message.output.delta", "id": f"msg_{answer.id}", "role": "assistant", "content": part,
            "model": call.model,
        }  # fmt: skip
    yield {"type": "conversation.response.done", "usage": _write_usage(answer)}


def write_embeddings(call: Call, answer: Answer) -> Json:
    """Return OpenAI's embeddings with an id."""
    return {"id": f"embd_{answer.id}", **openai_wire.write_embeddings(call, answer)}


def _drop_openai_keys(body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in ("system_fingerprint", "service_tier")}


def _write_usage(answer: Answer) -> Json:
    return {  # reasoning is not counted apart
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.total_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
    }


CHAT, CONVERSATIONS = "/completions|:rawPredict|:streamRawPredict", ".*/conversations.*"
DIALECT = Dialect(
    base=r"^(?=/mistral/|.*/publishers/mistralai/models/).*",
    default_model="ag:fake",  # the model behind every agent
    routes={
        openai_wire.EMBEDDINGS: Route(write_embeddings),
        openai_wire.RESPONSES: Route(openai_wire.write_response, openai_wire.write_response_events),
        CONVERSATIONS: Route(write_conversation, write_conversation_events),
        CHAT: Route(write_chat, write_chat_chunks, SSE_DONE),
        "": None,
    },
    error=lambda message, status: {
        "object": "error",
        "message": message,
        "type": openai_wire.name_error(status),
        "param": None,
        "code": str(status),
    },
)
