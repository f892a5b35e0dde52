"""OpenAI's shapes: chat completions, responses and embeddings, whole and as events."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from otel_agentops.testing.fake_provider.behaviour import Answer, Call, ToolCall
from otel_agentops.testing.fake_provider.wire import Dialect, Reply, asked_in_body, bound, sse

CREATED = 1_780_000_000
FINGERPRINT = "fp_fake"
_EFFECTIVE = {  # what a response says it used where the request says nothing
    "temperature": 1.0, "top_p": 1.0, "max_output_tokens": None, "tool_choice": "auto", "parallel_tool_calls": True,
    "truncation": "disabled", "instructions": None, "metadata": {}, "reasoning": {"effort": None, "summary": None},
    "previous_response_id": None, "prompt": None, "background": False, "text": {"format": {"type": "text"}},
}  # fmt: skip


def pieces(text: str, count: int) -> list[str]:
    """The text in exactly that many parts, or in more where there is none to spare; some may be empty."""
    size = max(1, -(-len(text) // max(1, count)))
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    return parts + [""] * (count - len(parts))


# -- chat completions


def chat(body: dict[str, Any], model: str, answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.tool_calls:
        message["tool_calls"] = [_chat_call(call, call.arguments) for call in answer.tool_calls]
    choice = {"finish_reason": _finish(answer), "message": message, "logprobs": None}
    choices = [{"index": index, **choice} for index in range(body.get("n") or 1)]
    return {**_head(body, model, answer), "object": "chat.completion", "choices": choices, "usage": chat_usage(answer)}


def chat_chunks(body: dict[str, Any], model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    head = {**_head(body, model, answer), "object": "chat.completion.chunk"}
    counted = (body.get("stream_options") or {}).get("include_usage")
    if counted:  # the real ones say `usage: null` in all chunks but the last
        head["usage"] = None
    for index in range(body.get("n") or 1):
        for delta, finish in _deltas(answer):
            yield {**head, "choices": [{"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}]}
    if counted:
        yield {**head, "choices": [], "usage": chat_usage(answer)}


def _deltas(answer: Answer) -> Iterator[tuple[dict[str, Any], str | None]]:
    for position, text in enumerate(pieces(answer.text, answer.chunks)):
        yield {"content": text, **({"role": "assistant"} if position == 0 else {})}, None
    for index, call in enumerate(answer.tool_calls):
        yield {"tool_calls": [{"index": index, **_chat_call(call, "")}]}, None
        for part in pieces(call.arguments, 2):
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}, None
    yield {}, _finish(answer)


def _head(body: dict[str, Any], model: str, answer: Answer) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.id}", "created": CREATED, "model": model, "system_fingerprint": FINGERPRINT,
        "service_tier": _tier(body),
    }  # fmt: skip


def _tier(body: dict[str, Any]) -> str:
    asked = body.get("service_tier") or "auto"
    return "default" if asked == "auto" else str(asked)


def _chat_call(call: ToolCall, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _finish(answer: Answer) -> str:
    return answer.finish or ("tool_calls" if answer.tool_calls else "stop")


def chat_usage(answer: Answer) -> dict[str, Any]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {**_input_details(answer), "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens, "audio_tokens": 0},
    }


def _input_details(answer: Answer) -> dict[str, int]:
    details = {"cached_tokens": answer.cached_tokens}
    return details | ({"cache_write_tokens": answer.cache_write_tokens} if answer.cache_write_tokens else {})


# -- completions


def completion(body: dict[str, Any], model: str, answer: Answer) -> dict[str, Any]:
    choice = {"text": answer.text, "finish_reason": _finish(answer), "logprobs": None}
    choices = [{"index": index, **choice} for index in range(body.get("n") or 1)]
    return {**_text_head(model, answer), "choices": choices, "usage": chat_usage(answer)}


def completion_chunks(body: dict[str, Any], model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    head = _text_head(model, answer)
    for index in range(body.get("n") or 1):
        for text, finish in [*((part, None) for part in pieces(answer.text, answer.chunks)), ("", _finish(answer))]:
            yield {**head, "choices": [{"index": index, "text": text, "finish_reason": finish, "logprobs": None}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": chat_usage(answer)}


def _text_head(model: str, answer: Answer) -> dict[str, Any]:
    return {
        "id": f"cmpl-{answer.id}", "object": "text_completion", "created": CREATED, "model": model,
        "system_fingerprint": FINGERPRINT,
    }  # fmt: skip


# -- responses


def response(body: dict[str, Any], model: str, answer: Answer, status: str = "") -> dict[str, Any]:
    """status: "" for the one that the request comes to."""
    status = status or _status(body, answer)
    done = status in {"completed", "incomplete", "failed"}
    return {
        "id": f"resp_{answer.id}", "object": "response", "created_at": CREATED, "model": model, "status": status,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "error": {"code": "server_error", "message": "as scripted"} if status == "failed" else None,
        "service_tier": _tier(body),
        **{name: body.get(name, value) for name, value in _EFFECTIVE.items()},
        "tools": [{"strict": True, **tool} for tool in body.get("tools") or []],
        "output": _output(answer) if done else [],
        "usage": _response_usage(answer) if done else None,
    }  # fmt: skip


def response_events(body: dict[str, Any], model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    for number, event in enumerate(_response_events(body, model, answer)):
        yield {**event, "sequence_number": number}


def _response_events(body: dict[str, Any], model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    head = response(body, model, answer, "in_progress")
    yield {"type": "response.created", "response": head}
    yield {"type": "response.in_progress", "response": head}
    for index, item in enumerate(_output(answer)):
        nothing: dict[str, Any] = {"content": []} if "content" in item else {"arguments": ""}
        empty = {**item, "status": "in_progress", **nothing}
        yield {"type": "response.output_item.added", "output_index": index, "item": empty}
        yield from _message_events(index, item, answer) if "content" in item else _call_events(index, item)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    final = response(body, model, answer)
    yield {"type": f"response.{final['status']}", "response": final}


def _message_events(index: int, item: dict[str, Any], answer: Answer) -> Iterator[dict[str, Any]]:
    where = {"item_id": item["id"], "output_index": index, "content_index": 0}
    part = item["content"][0]
    yield {"type": "response.content_part.added", **where, "part": {**part, "text": ""}}
    for text in pieces(answer.text, answer.chunks):
        yield {"type": "response.output_text.delta", **where, "delta": text, "logprobs": []}
    yield {"type": "response.output_text.done", **where, "text": answer.text, "logprobs": []}
    yield {"type": "response.content_part.done", **where, "part": part}


def _call_events(index: int, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    where = {"item_id": item["id"], "output_index": index}
    for part in pieces(item["arguments"], 2):
        yield {"type": "response.function_call_arguments.delta", **where, "delta": part}
    done = {"name": item["name"], "arguments": item["arguments"]}
    yield {"type": "response.function_call_arguments.done", **where, **done}


def _status(body: dict[str, Any], answer: Answer) -> str:
    if body.get("background"):
        return "queued"
    return {"length": "incomplete", "failed": "failed"}.get(answer.finish or "", "completed")


def _output(answer: Answer) -> list[dict[str, Any]]:
    content = [{"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}]
    message = {
        "type": "message", "id": f"msg_{answer.id}", "role": "assistant", "status": "completed", "content": content,
    }  # fmt: skip
    calls = [
        {"type": "function_call", "id": f"fc_{call.id}", "call_id": call.id, "name": call.name, "status": "completed",
         "arguments": call.arguments}
        for call in answer.tool_calls
    ]  # fmt: skip
    return ([message] if answer.text or not calls else []) + calls


def _response_usage(answer: Answer) -> dict[str, Any]:
    return {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": _input_details(answer),
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


# -- embeddings


def embeddings(body: dict[str, Any], model: str) -> dict[str, Any]:
    given = body.get("input")
    texts = [given] if isinstance(given, str) or (given and isinstance(given[0], int)) else given or []
    vectors = [direction(str(text), body.get("dimensions") or 256) for text in texts]
    packed = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else vector}
        for index, vector in enumerate(vectors)
    ]
    tokens = sum(len(str(text).split()) for text in texts)
    return {"object": "list", "model": model, "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def direction(text: str, size: int) -> list[float]:
    """A vector of length 1 that texts with the same words share, in any order."""
    counts = [0.0] * size
    for word in re.findall(r"\w{3,}", text.lower()):
        counts[zlib.crc32(word.encode()) % size] += 1
    length = sum(count * count for count in counts) ** 0.5 or 1.0
    return [round(count / length, 6) for count in counts]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


# -- the dialect

_KINDS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}


def kind_of(status: int) -> str:
    """The type of an error, in the word that both OpenAI and Anthropic have for it."""
    return _KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")


def _error(message: str, status: int) -> dict[str, Any]:
    return {"error": {"type": kind_of(status), "message": message, "param": None, "code": None}}


def _asked(path: str, body: dict[str, Any]) -> str:
    """On an Azure path the deployment."""
    return path.split("/deployments/")[1].split("/")[0] if "/deployments/" in path else asked_in_body(path, body)


def _reply(call: Call, answer: Answer) -> Reply | None:
    path, _, query = call.path.partition("?")
    if call.method == "GET" and path.rpartition("/")[0].endswith("/responses"):
        return _fetched(call.model, answer, parse_qs(query))
    if call.method != "POST" or ("/deployments/" in path and "api-version=" not in query):
        return None
    spoken = next((make for end, make in _ROUTES.items() if path.endswith(end)), None)
    return spoken(call.body, call.model, bound(call.body, answer)) if spoken else None


def _chat(body: dict[str, Any], model: str, answer: Answer) -> Reply:
    if not body.get("stream"):
        return Reply(lambda: chat(body, model, answer))
    return Reply(lambda: chat(body, model, answer), lambda: chat_chunks(body, model, answer), b"data: [DONE]\n\n")


def _completions(body: dict[str, Any], model: str, answer: Answer) -> Reply:
    if not body.get("stream"):
        return Reply(lambda: completion(body, model, answer))
    whole, events = lambda: completion(body, model, answer), lambda: completion_chunks(body, model, answer)
    return Reply(whole, events, b"data: [DONE]\n\n")


def _responses(body: dict[str, Any], model: str, answer: Answer) -> Reply:
    if not body.get("stream"):
        return Reply(lambda: response(body, model, answer))
    return Reply(lambda: response(body, model, answer), lambda: response_events(body, model, answer))


def _fetched(model: str, answer: Answer, query: Mapping[str, Sequence[str]]) -> Reply:
    """A response that ran in the background, of the model that `""` is an alias of."""
    going = answer.finish if answer.finish in ("queued", "in_progress", "cancelled") else ""
    whole = {**response({}, model, answer, going), "background": True}
    after = int(query.get("starting_after", ["-1"])[0])
    events = (event for event in response_events({}, model, answer) if event["sequence_number"] > after)
    return Reply(lambda: whole, (lambda: events) if query.get("stream") == ["true"] else None)


def _embeddings(body: dict[str, Any], model: str, answer: Answer) -> Reply:
    return Reply(lambda: embeddings(body, model))


_ROUTES = {
    "/chat/completions": _chat,  # before the next, which it ends with
    "/completions": _completions,
    "/responses": _responses,
    "/embeddings": _embeddings,
}
DIALECT = Dialect(
    speaks=lambda path: path.partition("?")[0].endswith(tuple(_ROUTES)),
    reply=_reply,
    error=_error,
    model=_asked,
    failure=lambda message: sse(_error(message, 500)),
)
