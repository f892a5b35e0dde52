"""OpenAI's shapes: chat completions, completions, responses and embeddings, whole and as events."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from urllib.parse import parse_qs

from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call, ToolCall
from otel_agentops.testing.fake_provider.content import embed_text, split_text
from otel_agentops.testing.fake_provider.wire import SSE_DONE, Dialect, Route

CREATED = 1_780_000_000
FINGERPRINT = "fp_fake"
_EFFECTIVE = {  # the parameters that a response reports if the request has none
    "temperature": 1.0, "top_p": 1.0, "max_output_tokens": None, "tool_choice": "auto", "parallel_tool_calls": True,
    "truncation": "disabled", "instructions": None, "metadata": {}, "reasoning": {"effort": None, "summary": None},
    "previous_response_id": None, "prompt": None, "background": False, "text": {"format": {"type": "text"}},
}  # fmt: skip


def write_chat(call: Call, answer: Answer) -> Body:
    """Return a chat completion."""
    message: Body = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.tool_calls:
        message["tool_calls"] = [write_tool_call(tool_call, tool_call.arguments) for tool_call in answer.tool_calls]
    choice = {"finish_reason": _find_reason(answer), "message": message, "logprobs": None}
    choices = [{"index": index, **choice} for index in range(call.body.get("n") or 1)]
    head = _write_head(call, answer)
    return {**head, "object": "chat.completion", "choices": choices, "usage": write_usage(answer)}


def write_chat_chunks(call: Call, answer: Answer, *, has_usage: bool | None = None) -> Iterator[Body]:
    """Yield the chunks of a chat completion; `has_usage` is True or False for a service that ignores the request's."""
    head = {**_write_head(call, answer), "object": "chat.completion.chunk"}
    if has_usage is None:
        has_usage = (call.body.get("stream_options") or {}).get("include_usage")
    if has_usage:  # OpenAI sends `usage: null` in all chunks but the last
        head["usage"] = None
    for index in range(call.body.get("n") or 1):
        for delta, finish in _write_deltas(answer):
            yield {**head, "choices": [{"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}]}
    if has_usage:
        yield {**head, "choices": [], "usage": write_usage(answer)}


def _write_deltas(answer: Answer) -> Iterator[tuple[Body, str | None]]:
    for position, text in enumerate(split_text(answer.text, answer.chunks)):
        yield {"content": text, **({"role": "assistant"} if position == 0 else {})}, None
    for index, tool_call in enumerate(answer.tool_calls):
        yield {"tool_calls": [{"index": index, **write_tool_call(tool_call, "")}]}, None
        for part in split_text(tool_call.arguments, 2):
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}, None
    yield {}, _find_reason(answer)


def write_tool_call(tool_call: ToolCall, arguments: str) -> Body:
    """Return a call of a function with these arguments, which may be a part of all."""
    return {"id": tool_call.id, "type": "function", "function": {"name": tool_call.name, "arguments": arguments}}


def write_usage(answer: Answer) -> Body:
    """Return the token counts of a completion."""
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.total_tokens,
        "prompt_tokens_details": {**_write_input_details(answer), "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens, "audio_tokens": 0},
    }


def _write_head(call: Call, answer: Answer) -> Body:
    return {
        "id": f"chatcmpl-{answer.id}", "created": CREATED, "model": call.model, "system_fingerprint": FINGERPRINT,
        "service_tier": _find_tier(call.body),
    }  # fmt: skip


def _find_tier(body: Body) -> str:
    tier = body.get("service_tier") or "auto"
    return "default" if tier == "auto" else str(tier)


def _find_reason(answer: Answer) -> str:
    return answer.finish or ("tool_calls" if answer.tool_calls else "stop")


def _write_input_details(answer: Answer) -> dict[str, int]:
    details = {"cached_tokens": answer.cached_tokens}
    return details | ({"cache_write_tokens": answer.cache_write_tokens} if answer.cache_write_tokens else {})


# -- completions


def write_completion(call: Call, answer: Answer) -> Body:
    """Return a completion."""
    choice = {"text": answer.text, "finish_reason": _find_reason(answer), "logprobs": None}
    choices = [{"index": index, **choice} for index in range(call.body.get("n") or 1)]
    return {
        "id": f"cmpl-{answer.id}", "object": "text_completion", "created": CREATED, "model": call.model,
        "system_fingerprint": FINGERPRINT, "choices": choices, "usage": write_usage(answer),
    }  # fmt: skip


def write_completion_chunks(call: Call, answer: Answer) -> Iterator[Body]:
    """Yield the chunks of a completion."""
    head = write_completion(call, answer)
    usage = head.pop("usage")
    parts = [(part, None) for part in split_text(answer.text, answer.chunks)]
    for index in range(call.body.get("n") or 1):
        for text, finish in (*parts, ("", _find_reason(answer))):
            yield {**head, "choices": [{"index": index, "text": text, "finish_reason": finish, "logprobs": None}]}
    if (call.body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": usage}


# -- responses


def write_response(call: Call, answer: Answer, status: str = "") -> Body:
    """Return a response; its status, if none is named, is that which the request leads to."""
    body = call.body
    if not status:
        ends = {"length": "incomplete", "failed": "failed"}
        status = "queued" if body.get("background") else ends.get(answer.finish or "", "completed")
    is_done = status in {"completed", "incomplete", "failed"}
    usage = {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": _write_input_details(answer),
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        "total_tokens": answer.total_tokens,
    }
    return {
        "id": f"resp_{answer.id}", "object": "response", "created_at": CREATED, "model": call.model, "status": status,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "error": {"code": "server_error", "message": "as scripted"} if status == "failed" else None,
        "service_tier": _find_tier(body),
        **{name: body.get(name, value) for name, value in _EFFECTIVE.items()},
        "tools": [{"strict": True, **tool} for tool in body.get("tools") or []],
        "output": _write_output(answer) if is_done else [],
        "usage": usage if is_done else None,
    }  # fmt: skip


def write_response_events(call: Call, answer: Answer) -> Iterator[Body]:
    """Yield the events of a response, each with its number."""
    for number, event in enumerate(_write_events(call, answer)):
        yield {**event, "sequence_number": number}


def _write_events(call: Call, answer: Answer) -> Iterator[Body]:
    head = write_response(call, answer, "in_progress")
    yield {"type": "response.created", "response": head}
    yield {"type": "response.in_progress", "response": head}
    for index, item in enumerate(_write_output(answer)):
        empty: Body = {"content": []} if "content" in item else {"arguments": ""}
        started = {**item, "status": "in_progress", **empty}
        yield {"type": "response.output_item.added", "output_index": index, "item": started}
        place = {"item_id": item["id"], "output_index": index}
        if "content" in item:
            place["content_index"] = 0
            part = item["content"][0]
            yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
            for text in split_text(answer.text, answer.chunks):
                yield {"type": "response.output_text.delta", **place, "delta": text, "logprobs": []}
            yield {"type": "response.output_text.done", **place, "text": answer.text, "logprobs": []}
            yield {"type": "response.content_part.done", **place, "part": part}
        else:
            for text in split_text(item["arguments"], 2):
                yield {"type": "response.function_call_arguments.delta", **place, "delta": text}
            function = {"name": item["name"], "arguments": item["arguments"]}
            yield {"type": "response.function_call_arguments.done", **place, **function}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    final = write_response(call, answer)
    yield {"type": f"response.{final['status']}", "response": final}


def _write_output(answer: Answer) -> list[Body]:
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


def _write_background(call: Call, answer: Answer) -> Body:
    """Return a response that runs or ran in the background, of the model that `""` is an alias of."""
    status = answer.finish if answer.finish in ("queued", "in_progress", "cancelled") else ""
    return {**write_response(call, answer, status), "background": True}


def _write_background_events(call: Call, answer: Answer) -> Iterator[Body]:
    query = parse_qs(call.path.partition("?")[2])
    after = int(query.get("starting_after", ["-1"])[0])
    return (event for event in write_response_events(call, answer) if event["sequence_number"] > after)


# -- embeddings


def write_embeddings(call: Call, answer: Answer) -> Body:
    """Return embeddings; each text that is not a string is a list of tokens."""
    texts = call.body.get("input") or []
    if isinstance(texts, str) or (texts and isinstance(texts[0], int)):
        texts = [texts]
    data: list[Body] = []
    for index, text in enumerate(texts):
        vector = embed_text(str(text), call.body.get("dimensions") or 256)
        data.append({"object": "embedding", "index": index, "embedding": vector})
        if call.body.get("encoding_format") == "base64":
            data[-1]["embedding"] = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    tokens = sum(len(str(text).split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": call.model, "data": data, "usage": usage}


# -- the dialect

_KINDS = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}


def name_error(status: int) -> str:
    """Return the type of an error, in the word that both OpenAI and Anthropic have for it."""
    return _KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")


CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES = "/chat/completions", "/completions", "/embeddings", "/responses"
DIALECT = Dialect(
    base=r"(?:/deployments/(?P<model>[^/]+).*)?",  # Azure names the deployment in the path
    routes={
        r"/deployments/(?![^?]*\?.*api-version=).*": None,
        CHAT: Route(write_chat, write_chat_chunks, SSE_DONE),  # before the next, which it ends with
        COMPLETIONS: Route(write_completion, write_completion_chunks, SSE_DONE),
        RESPONSES: Route(write_response, write_response_events),
        EMBEDDINGS: Route(write_embeddings),
        r"/responses/[^/?]*": Route(
            _write_background,
            _write_background_events,
            wants_stream=lambda call: "stream=true" in call.path.partition("?")[2].split("&"),
            method="GET",
        ),
    },
    error=lambda message, status: {
        "error": {"type": name_error(status), "message": message, "param": None, "code": None}
    },
)
