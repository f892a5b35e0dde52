"""What InvokeModel answers: each family of models has bodies of its own, whole and as the chunks of a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from otel_agentops.testing.fake_provider import anthropic_wire, converse_shapes, openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Call
from otel_agentops.testing.fake_provider.openai_wire import direction, pieces

Body = dict[str, Any]


class Family(NamedTuple):
    """A family's answers."""

    whole: Callable[[Call, Answer], Body]
    events: Callable[[Call, Answer], Iterator[Body]]


def counted(answer: Answer) -> bytes:
    """What the service says in headers, whatever the model."""
    return "".join(f"x-amzn-bedrock-{name}-token-count: {count}\r\n" for name, count in _counts(answer)).encode()


def metrics(answer: Answer) -> Body:
    """The same in the last chunk of a stream."""
    return {
        "inputTokenCount": _fresh(answer),
        "outputTokenCount": answer.output_tokens,
        "cacheReadInputTokenCount": answer.cached_tokens,
        "cacheWriteInputTokenCount": answer.cache_write_tokens,
        "invocationLatency": 1,
        "firstByteLatency": 1,
    }


def _counts(answer: Answer) -> Iterator[tuple[str, int]]:
    yield "input", _fresh(answer)
    yield "output", answer.output_tokens
    yield "cache-read-input", answer.cached_tokens
    yield "cache-write-input", answer.cache_write_tokens


def _fresh(answer: Answer) -> int:
    return answer.input_tokens - answer.cached_tokens - answer.cache_write_tokens


def _once(call: Call, answer: Answer) -> Iterator[Body]:
    return iter(())


def _claude(call: Call, answer: Answer) -> Body:
    return anthropic_wire.message(call.model, answer)


def _claude_events(call: Call, answer: Answer) -> Iterator[Body]:
    return anthropic_wire.events(call.model, answer)


def _nova(call: Call, answer: Answer) -> Body:
    counts = converse_shapes.usage(answer)
    renamed = {name.replace("InputTokens", "InputTokenCount"): value for name, value in counts.items()}
    return {**converse_shapes.converse(answer), "usage": renamed}


def _nova_events(call: Call, answer: Answer) -> Iterator[Body]:
    return ({name: inner} for name, inner in converse_shapes.events(answer))


def _titan(call: Call, answer: Answer) -> Body:
    result = {
        "tokenCount": answer.output_tokens,
        "outputText": answer.text,
        "completionReason": _word(answer, "FINISH"),
    }
    return {"inputTextTokenCount": answer.input_tokens, "results": [result]}


def _titan_events(call: Call, answer: Answer) -> Iterator[Body]:
    parts = pieces(answer.text, answer.chunks)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        yield {
            "outputText": part,
            "index": 0,
            "totalOutputTextTokenCount": answer.output_tokens if last else None,
            "completionReason": _word(answer, "FINISH") if last else None,
            "inputTextTokenCount": answer.input_tokens if number == 0 else None,
        }


def _vector(call: Call, answer: Answer) -> Body:
    size = call.body.get("dimensions", 8)
    return {"embedding": direction(str(call.body.get("inputText")), size), "inputTextTokenCount": answer.input_tokens}


def _vectors(call: Call, answer: Answer) -> Body:
    texts = call.body.get("texts") or []
    return {"id": answer.id, "response_type": "embeddings_floats", "embeddings": [direction(t, 8) for t in texts]}


def _llama(call: Call, answer: Answer) -> Body:
    return {
        "generation": answer.text,
        "prompt_token_count": answer.input_tokens,
        "generation_token_count": answer.output_tokens,
        "stop_reason": _word(answer, "stop"),
    }


def _llama_events(call: Call, answer: Answer) -> Iterator[Body]:
    parts = pieces(answer.text, answer.chunks)
    for number, part in enumerate(parts):
        yield {
            "generation": part,
            "prompt_token_count": answer.input_tokens if number == 0 else None,
            "generation_token_count": answer.output_tokens if number == len(parts) - 1 else number + 1,
            "stop_reason": _word(answer, "stop") if number == len(parts) - 1 else None,
        }


def _mistral(call: Call, answer: Answer) -> Body:
    return {"outputs": [{"text": answer.text, "stop_reason": _word(answer, "stop")}]}


def _mistral_events(call: Call, answer: Answer) -> Iterator[Body]:
    parts = pieces(answer.text, answer.chunks)
    for number, part in enumerate(parts):
        yield {"outputs": [{"text": part, "stop_reason": _word(answer, "stop") if number == len(parts) - 1 else None}]}


def _mistral_chat(call: Call, answer: Answer) -> Body:
    """OpenAI's shape, with another word for the reason, and no counts."""
    whole = openai_wire.chat(call.body, call.model, answer)
    return {"choices": [_renamed(choice) for choice in whole["choices"]]}


def _mistral_chat_events(call: Call, answer: Answer) -> Iterator[Body]:
    for chunk in openai_wire.chat_chunks(call.body, call.model, answer):
        yield {"choices": [_renamed(choice) for choice in chunk["choices"]]}


def _renamed(choice: Body) -> Body:
    return {("stop_reason" if name == "finish_reason" else name): value for name, value in choice.items()}


def _command(call: Call, answer: Answer) -> Body:
    generation = {"finish_reason": _word(answer, "COMPLETE"), "id": answer.id, "text": answer.text}
    return {"generations": [generation], "id": answer.id, "prompt": call.body.get("prompt")}


def _command_events(call: Call, answer: Answer) -> Iterator[Body]:
    for part in pieces(answer.text, answer.chunks):
        yield {"text": part, "is_finished": False, "index": 0}
    yield {"is_finished": True, "finish_reason": _word(answer, "COMPLETE"), "index": 0}


def _command_r(call: Call, answer: Answer) -> Body:
    calls = [{"name": each.name, "parameters": json.loads(each.arguments)} for each in answer.tool_calls]
    return {
        "response_id": answer.id,
        "generation_id": "gen",
        "text": answer.text,
        "finish_reason": _word(answer, "COMPLETE"),
        **({"tool_calls": calls} if calls else {}),
    }


def _command_r_events(call: Call, answer: Answer) -> Iterator[Body]:
    yield {"event_type": "stream-start", "is_finished": False, "generation_id": "gen"}
    for part in pieces(answer.text, answer.chunks):
        yield {"event_type": "text-generation", "is_finished": False, "text": part}
    end = {"event_type": "stream-end", "is_finished": True, "finish_reason": _word(answer, "COMPLETE")}
    yield {**end, "response": _command_r(call, answer)}


def _jurassic(call: Call, answer: Answer) -> Body:
    completion = {"data": {"text": answer.text, "tokens": []}, "finishReason": {"reason": _word(answer, "endoftext")}}
    return {"id": answer.id, "prompt": {"text": call.body.get("prompt"), "tokens": []}, "completions": [completion]}


def _deepseek(call: Call, answer: Answer) -> Body:
    return {"choices": [{"text": answer.text, "stop_reason": _word(answer, "stop")}]}


def _deepseek_events(call: Call, answer: Answer) -> Iterator[Body]:
    parts = pieces(answer.text, answer.chunks)
    for number, part in enumerate(parts):
        yield {"choices": [{"text": part, "stop_reason": _word(answer, "stop") if number == len(parts) - 1 else None}]}


def _openai(call: Call, answer: Answer) -> Body:
    return openai_wire.chat(call.body, call.model, answer)


def _openai_events(call: Call, answer: Answer) -> Iterator[Body]:
    return openai_wire.chat_chunks(call.body, call.model, answer)


def _strange(call: Call, answer: Answer) -> Body:
    return {"said": answer.text}


def _strange_events(call: Call, answer: Answer) -> Iterator[Body]:
    return ({"said": part} for part in pieces(answer.text, answer.chunks))


def _word(answer: Answer, natural: str) -> str:
    return answer.finish or natural


# By a part of the model's id, first match.
_FAMILIES = {
    "claude": Family(_claude, _claude_events),
    "nova": Family(_nova, _nova_events),
    "titan-embed": Family(_vector, _once),
    "titan": Family(_titan, _titan_events),
    "llama": Family(_llama, _llama_events),
    "cohere.embed": Family(_vectors, _once),
    "cohere.command-r": Family(_command_r, _command_r_events),
    "cohere": Family(_command, _command_events),
    "j2": Family(_jurassic, _once),
    "deepseek.r1": Family(_deepseek, _deepseek_events),
    "mistral": Family(_mistral, _mistral_events),
}
_MISTRAL_CHAT = Family(_mistral_chat, _mistral_chat_events)
_OPENAI = Family(_openai, _openai_events)
_STRANGE = Family(_strange, _strange_events)


def of(model: str, body: Body) -> Family:
    """The family of a model; by its request where the id does not say."""
    if "anthropic_version" in body:
        return _FAMILIES["claude"]
    found = next((family for part, family in _FAMILIES.items() if part in model), None)
    if "messages" in body and (found is None or "mistral" in model):
        return _OPENAI if found is None else _MISTRAL_CHAT
    return found or _STRANGE
