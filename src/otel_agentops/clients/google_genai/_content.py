"""The words said to Gemini: contents of parts, and interactions of steps; the wire and the client spell names apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from otel_agentops._endpoint import Content, ContentReader
from otel_agentops.clients._protocols.fields import as_list, as_text, get
from otel_agentops.clients._protocols.parts import (
    Message,
    Part,
    blob_part,
    make_answer,
    make_input,
    make_message,
    make_output,
    merge_parts,
    name_modality,
    reasoning_parts,
    server_tool_part,
    server_tool_response_part,
    text_part,
    text_parts,
    tool_call_part,
    tool_response_part,
    uri_part,
)


@lru_cache(256)
def _spell_wire(name: str) -> str:
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)


def _get(holder: object, name: str) -> Any:
    """Return a member by the client's name, else by the wire's."""
    value = get(holder, name)
    return get(holder, _spell_wire(name)) if value is None else value


# -- contents


def read_content_request(body: Mapping[str, Any]) -> Content:
    """Read `POST models/<model>:generateContent`; the system's words are apart from the conversation."""
    contents = as_list(body.get("contents"))
    messages = [make_message(_name_role(get(each, "role")), _read_parts(get(each, "parts"))) for each in contents]
    return make_input(messages, _read_parts(_get(_get(body, "system_instruction"), "parts")))


def _name_role(role: object) -> str:
    return {"model": "assistant", "function": "tool"}.get(str(role), as_text(role) or "user")


def _read_parts(parts: object) -> list[Part]:
    return [part for each in as_list(parts) for part in _read_part(each)]


def _read_part(part: object) -> list[Part]:
    if isinstance(text := get(part, "text"), str):
        return reasoning_parts(text) if get(part, "thought") else text_parts(text)
    if (call := _get(part, "function_call")) is not None:
        return [tool_call_part(get(call, "id"), get(call, "name"), get(call, "args"))]
    if (answer := _get(part, "function_response")) is not None:
        return [tool_response_part(get(answer, "id") or get(answer, "name"), get(answer, "response"))]
    if (blob := _get(part, "inline_data")) is not None:
        mime_type = _get(blob, "mime_type")
        return [blob_part(name_modality(mime_type), get(blob, "data"), mime_type)]
    if (file := _get(part, "file_data")) is not None:
        mime_type = _get(file, "mime_type")
        return [uri_part(name_modality(mime_type), as_text(_get(file, "file_uri")) or "", mime_type)]
    if (code := _get(part, "executable_code")) is not None:
        details = {"language": as_text(get(code, "language")), "code": get(code, "code")}
        return [server_tool_part(get(code, "id"), "code_execution", details)]
    if (outcome := _get(part, "code_execution_result")) is not None:
        details = {"outcome": as_text(get(outcome, "outcome")), "output": get(outcome, "output")}
        return [server_tool_response_part(get(outcome, "id"), "code_execution", details)]
    return []


def read_content_response(result: Any) -> Content:
    """Read a `GenerateContentResponse`; one that was asked for raw holds its body as text."""
    if get(result, "candidates") is None and (body := get(_get(result, "sdk_http_response"), "body")) is not None:
        result = json.loads(body)
    return join_content_chunks([result])


def join_content_chunks(chunks: Sequence[Any]) -> Content:
    """Read all chunks of a stream, each of which has candidates with parts."""
    parts: dict[int, list[Part]] = {}
    reasons: dict[int, object] = {}
    for chunk in chunks:
        for candidate in as_list(get(chunk, "candidates")):
            index = get(candidate, "index") or 0
            parts.setdefault(index, []).extend(_read_parts(get(get(candidate, "content"), "parts")))
            reasons[index] = _get(candidate, "finish_reason") or reasons.get(index)
    return make_output([make_answer(merge_parts(parts[index]), reasons[index]) for index in sorted(parts)])


# -- interactions


def read_interaction_request(body: Mapping[str, Any]) -> Content:
    """Read `POST interactions`: its input is a text, a content, or a list of contents, steps or turns."""
    value = body.get("input")
    system = text_parts(body.get("system_instruction"))
    if isinstance(value, str):
        return make_input([make_message("user", text_parts(value))], system)
    items = as_list(value) or ([value] if isinstance(value, Mapping) else [])
    if any(get(item, "role") or _is_step(item) for item in items):
        return make_input([_read_turn(item) for item in items], system)
    return make_input([make_message("user", _read_contents(items))], system)


def _is_step(item: object) -> bool:
    return str(get(item, "type")).endswith(("_input", "_output", "_call", "_result")) or get(item, "type") == "thought"


def _read_turn(item: object) -> Message:
    kind = as_text(get(item, "type")) or ""
    if kind.endswith("_result"):
        return make_message("tool", _read_contents([item]))
    role = get(item, "role") or ("user" if kind == "user_input" or not _is_step(item) else "assistant")
    return make_message(_name_role(role), _read_contents([item] if _is_step(item) else get(item, "content")))


def _read_contents(contents: object) -> list[Part]:
    if isinstance(contents, str):
        return text_parts(contents)
    return [part for content in as_list(contents) for part in _read_interaction_content(content)]


def _read_interaction_content(content: object) -> list[Part]:
    """Read a content, or a step, which has contents."""
    kind = as_text(get(content, "type")) or ""
    if kind == "text":
        return text_parts(get(content, "text"))
    if kind in {"user_input", "model_output"}:
        return _read_contents(get(content, "content"))
    if kind == "thought":
        return [part for each in as_list(get(content, "summary")) for part in reasoning_parts(get(each, "text"))]
    call_id = get(content, "call_id") or get(content, "id")
    if kind == "function_call":
        return [tool_call_part(get(content, "id"), get(content, "name"), get(content, "arguments"))]
    if kind == "function_result":
        return [tool_response_part(call_id, get(content, "result"))]
    if kind.endswith("_call"):
        return [server_tool_part(call_id, kind.removesuffix("_call"), {"arguments": get(content, "arguments")})]
    if kind.endswith("_result"):
        return [server_tool_response_part(call_id, kind.removesuffix("_result"), {"result": get(content, "result")})]
    if kind in {"image", "audio", "video", "document"}:
        mime_type = get(content, "mime_type")
        if (uri := as_text(get(content, "uri"))) is not None:
            return [uri_part(kind, uri, mime_type)]
        return [blob_part(kind, get(content, "data"), mime_type)]
    return [{"type": kind}] if kind else []


def read_interaction(result: object) -> Content:
    """Read an `Interaction`, or its JSON."""
    return _make_interaction_output(as_list(get(result, "steps") or get(result, "outputs")), get(result, "status"))


def _make_interaction_output(steps: Iterable[object], status: object) -> Content:
    parts = merge_parts(_read_contents([step for step in steps if get(step, "type") != "user_input"]))
    return make_output([make_answer(parts, status)]) if parts else {}


def join_interaction_events(events: Sequence[Any]) -> Content:
    """Read all events of a stream, whose steps come in pieces."""
    steps: dict[Any, list[Part]] = {}
    arguments: dict[Any, str] = {}
    status: object = None
    for event in events:
        kind, index, delta = get(event, "event_type"), get(event, "index"), get(event, "delta")
        if kind == "step.start":
            steps[index] = _read_contents([get(event, "step")])
        elif kind == "step.delta":
            steps.setdefault(index, []).extend(
                text_part(text) for text in [get(delta, "text")] if isinstance(text, str)
            )
            if isinstance(piece := get(delta, "arguments"), str):
                arguments[index] = arguments.get(index, "") + piece
        elif (interaction := get(event, "interaction")) is not None:
            status = get(interaction, "status") or status
    for index, joined in arguments.items():
        for part in steps.get(index, ()):
            if part["type"] == "tool_call":
                part["arguments"] = tool_call_part(None, None, joined)["arguments"]
    parts = merge_parts(part for index in steps for part in steps[index])
    return make_output([make_answer(parts, status)]) if parts else {}


CONTENT = ContentReader(read_content_request, read_content_response, join_content_chunks)
INTERACTION = ContentReader(read_interaction_request, read_interaction, join_interaction_events)
