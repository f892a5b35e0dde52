"""The bodies of InvokeModel: each family of models has its own, whole and as the chunks of a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from otel_agentops.testing.fake_provider import anthropic_wire, converse_shapes, openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call, Json
from otel_agentops.testing.fake_provider.content import embed_text, split_text


class Family(NamedTuple):
    """The shapes of a family of models; one that does not stream has no `chunks`."""

    whole: Callable[[Call, Answer], Json]
    chunks: Callable[[Call, Answer], Iterator[Json]] = lambda call, answer: iter(())


def _write_nova(call: Call, answer: Answer) -> Json:
    whole = converse_shapes.write_message(call, answer)
    counts = {name.replace("InputTokens", "InputTokenCount"): count for name, count in whole["usage"].items()}
    return {**whole, "usage": counts}


def _write_titan(call: Call, answer: Answer) -> Json:
    result = {
        "tokenCount": answer.output_tokens,
        "outputText": answer.text,
        "completionReason": answer.finish or "FINISH",
    }
    return {"inputTextTokenCount": answer.input_tokens, "results": [result]}


def _write_titan_chunks(call: Call, answer: Answer) -> Iterator[Json]:
    for part, is_first, is_last in _split_answer(answer):
        yield {
            "outputText": part,
            "index": 0,
            "totalOutputTextTokenCount": answer.output_tokens if is_last else None,
            "completionReason": (answer.finish or "FINISH") if is_last else None,
            "inputTextTokenCount": answer.input_tokens if is_first else None,
        }


def _write_titan_embedding(call: Call, answer: Answer) -> Json:
    vector = embed_text(str(call.body.get("inputText")), call.body.get("dimensions", 8))
    return {"embedding": vector, "inputTextTokenCount": answer.input_tokens}


def _write_cohere_embeddings(call: Call, answer: Answer) -> Json:
    vectors = [embed_text(text, 8) for text in call.body.get("texts") or []]
    return {"id": answer.id, "response_type": "embeddings_floats", "embeddings": vectors}


def _write_llama(call: Call, answer: Answer) -> Json:
    return {
        "generation": answer.text,
        "prompt_token_count": answer.input_tokens,
        "generation_token_count": answer.output_tokens,
        "stop_reason": answer.finish or "stop",
    }


def _write_llama_chunks(call: Call, answer: Answer) -> Iterator[Json]:
    for number, (part, is_first, is_last) in enumerate(_split_answer(answer), 1):
        yield {
            "generation": part,
            "prompt_token_count": answer.input_tokens if is_first else None,
            "generation_token_count": answer.output_tokens if is_last else number,
            "stop_reason": (answer.finish or "stop") if is_last else None,
        }


def _make_text_family(key: str) -> Family:
    """Return the family whose bodies are a list with a text and its reason, below this key."""

    def write_chunks(call: Call, answer: Answer) -> Iterator[Json]:
        for part, _, is_last in _split_answer(answer):
            yield {key: [{"text": part, "stop_reason": (answer.finish or "stop") if is_last else None}]}

    return Family(
        lambda call, answer: {key: [{"text": answer.text, "stop_reason": answer.finish or "stop"}]}, write_chunks
    )


def _rename_reason(completion: Body) -> Json:
    """Return Mistral's form of a chat completion: another word for the finish reason, and no counts."""
    choices = [
        {("stop_reason" if name == "finish_reason" else name): value for name, value in choice.items()}
        for choice in completion["choices"]
    ]
    return {"choices": choices}


def _write_command(call: Call, answer: Answer) -> Json:
    generation = {"finish_reason": answer.finish or "COMPLETE", "id": answer.id, "text": answer.text}
    return {"generations": [generation], "id": answer.id, "prompt": call.body.get("prompt")}


def _write_command_chunks(call: Call, answer: Answer) -> Iterator[Json]:
    for part in split_text(answer.text, answer.chunks):
        yield {"text": part, "is_finished": False, "index": 0}
    yield {"is_finished": True, "finish_reason": answer.finish or "COMPLETE", "index": 0}


def _write_command_r(call: Call, answer: Answer) -> Json:
    calls = [{"name": tool.name, "parameters": json.loads(tool.arguments)} for tool in answer.tool_calls]
    return {
        "response_id": answer.id,
        "generation_id": "gen",
        "text": answer.text,
        "finish_reason": answer.finish or "COMPLETE",
        **({"tool_calls": calls} if calls else {}),
    }


def _write_command_r_chunks(call: Call, answer: Answer) -> Iterator[Json]:
    yield {"event_type": "stream-start", "is_finished": False, "generation_id": "gen"}
    for part in split_text(answer.text, answer.chunks):
        yield {"event_type": "text-generation", "is_finished": False, "text": part}
    end = {"event_type": "stream-end", "is_finished": True, "finish_reason": answer.finish or "COMPLETE"}
    yield {**end, "response": _write_command_r(call, answer)}


def _write_jurassic(call: Call, answer: Answer) -> Json:
    reason = {"reason": answer.finish or "endoftext"}
    completion = {"data": {"text": answer.text, "tokens": []}, "finishReason": reason}
    return {"id": answer.id, "prompt": {"text": call.body.get("prompt"), "tokens": []}, "completions": [completion]}


def _split_answer(answer: Answer) -> Iterator[tuple[str, bool, bool]]:
    """Yield the parts of a text, each with whether it is the first and whether it is the last."""
    parts = split_text(answer.text, answer.chunks)
    for number, part in enumerate(parts):
        yield part, number == 0, number == len(parts) - 1


_FAMILIES = {  # by a part of the model's id; the first match counts
    "claude": Family(anthropic_wire.write_message, anthropic_wire.write_message_events),
    "nova": Family(_write_nova, converse_shapes.write_events),
    "titan-embed": Family(_write_titan_embedding),
    "titan": Family(_write_titan, _write_titan_chunks),
    "llama": Family(_write_llama, _write_llama_chunks),
    "cohere.embed": Family(_write_cohere_embeddings),
    "cohere.command-r": Family(_write_command_r, _write_command_r_chunks),
    "cohere": Family(_write_command, _write_command_chunks),
    "j2": Family(_write_jurassic),
    "deepseek.r1": _make_text_family("choices"),
    "mistral": _make_text_family("outputs"),
}
_MISTRAL_CHAT = Family(
    lambda call, answer: _rename_reason(openai_wire.write_chat(call, answer)),
    lambda call, answer: map(_rename_reason, openai_wire.write_chat_chunks(call, answer)),
)
_OPENAI = Family(openai_wire.write_chat, openai_wire.write_chat_chunks)
_UNKNOWN = Family(
    lambda call, answer: {"said": answer.text},
    lambda call, answer: ({"said": part} for part in split_text(answer.text, answer.chunks)),
)


def find_family(model: str, body: Body) -> Family:
    """Return the family of a model; by the request if the id does not tell."""
    if "anthropic_version" in body:
        return _FAMILIES["claude"]
    family = next((family for part, family in _FAMILIES.items() if part in model), None)
    if "messages" in body and (family is None or "mistral" in model):
        return _OPENAI if family is None else _MISTRAL_CHAT
    return family or _UNKNOWN
