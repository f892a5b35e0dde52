"""Parts of messages as the convention has them: text, tool calls and their results, reasoning, files and pictures.

https://github.com/open-telemetry/semantic-conventions-genai/blob/main/model/gen-ai/gen-ai-input-messages.json

What is binary is told by its size and SHA-256, or by the address that the request has in its place.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from otel_agentops._coerce import parse_json
from otel_agentops.clients._protocols.fields import as_list, as_text, drop_none, get, is_object
from otel_agentops.semconv import attributes as A

Part: TypeAlias = dict[str, Any]
Message: TypeAlias = dict[str, Any]

# Words of providers for the reasons that the convention has; any other is told as it is.
_FINISH_REASONS = {
    "stop": "stop", "end_turn": "stop", "stop_sequence": "stop", "complete": "stop", "completed": "stop",
    "eos_token": "stop", "eos": "stop", "endoftext": "stop", "finish": "stop", "finished": "stop",
    "reason_stop": "stop", "stop_criteria_met": "stop",
    "length": "length", "max_tokens": "length", "max_output_tokens": "length", "reason_max_len": "length",
    "model_context_window_exceeded": "length", "reason_max_context": "length",
    "tool_call": "tool_call", "tool_calls": "tool_call", "tool_use": "tool_call", "function_call": "tool_call",
    "reason_tool_calls": "tool_call", "requires_action": "tool_call",
    "content_filter": "content_filter", "content_filtered": "content_filter", "safety": "content_filter",
    "guardrail_intervened": "content_filter", "refusal": "content_filter", "prohibited_content": "content_filter",
    "error": "error", "failed": "error",
    "compaction": "compaction",
}  # fmt: skip
_UNKNOWN = "unknown"  # of a reason or a role that nobody told, and that the schema requires
_AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}


def name_finish_reason(reason: object) -> str:
    """Return the convention's word for a finish reason; `unknown` if none was told."""
    text = as_text(reason)
    return _UNKNOWN if not text else _FINISH_REASONS.get(text.lower(), text)


def text_part(text: str) -> Part:
    """Return a part that is text."""
    return {"type": "text", "content": text}


def text_parts(text: object) -> list[Part]:
    """Return one part for a text, none for an empty one or for anything else."""
    return [text_part(text)] if isinstance(text, str) and text else []


def reasoning_parts(text: object) -> list[Part]:
    """Return one part for what a model thought, none if it did not."""
    return [{"type": "reasoning", "content": text}] if isinstance(text, str) and text else []


def tool_call_part(call_id: object, name: object, arguments: object) -> Part:
    """Return the request to execute a tool; arguments that are JSON text are parsed."""
    return {
        "type": "tool_call",
        "id": as_text(call_id),
        "name": as_text(name) or _UNKNOWN,
        "arguments": parse_json(arguments),
    }


def tool_response_part(call_id: object, response: object) -> Part:
    """Return the result of a tool."""
    return {"type": "tool_call_response", "id": as_text(call_id), "response": response}


def server_tool_part(call_id: object, name: object, details: Mapping[str, Any]) -> Part:
    """Return the call of a tool that runs at the provider."""
    return {
        "type": "server_tool_call",
        "id": as_text(call_id),
        "name": as_text(name) or _UNKNOWN,
        "server_tool_call": {"type": as_text(name) or _UNKNOWN, **details},
    }


def server_tool_response_part(call_id: object, kind: str, details: Mapping[str, Any]) -> Part:
    """Return the result of a tool that runs at the provider."""
    return {
        "type": "server_tool_call_response",
        "id": as_text(call_id),
        "server_tool_call_response": {"type": kind, **details},
    }


def uri_part(modality: str, uri: str, mime_type: object = None) -> Part:
    """Return a part that is elsewhere; a `data:` address is a blob."""
    if uri.startswith("data:"):
        head, _, data = uri[len("data:") :].partition(",")
        return blob_part(modality, data, head.partition(";")[0])
    return {"type": "uri", "modality": modality, "uri": uri, **drop_none(mime_type=as_text(mime_type))}


def file_part(modality: str, file_id: str, mime_type: object = None) -> Part:
    """Return a part that the provider keeps."""
    return {"type": "file", "modality": modality, "file_id": file_id, **drop_none(mime_type=as_text(mime_type))}


def blob_part(modality: str, data: object, mime_type: object = None) -> Part:
    """Return a part that is binary, by its size and SHA-256; data: bytes, or base64 as JSON has them."""
    content = data if isinstance(data, (bytes, bytearray)) else _decode(as_text(data) or "")
    size_and_hash = {"byte_size": len(content), "sha256": hashlib.sha256(content).hexdigest()} if content else {}
    return {"type": "blob", "modality": modality, **drop_none(mime_type=as_text(mime_type) or None), **size_and_hash}


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_" if "-" in text or "_" in text else None)
    except (binascii.Error, ValueError):
        return b""


def name_modality(mime_type: object) -> str:
    """Return image, video, audio or document."""
    first = (as_text(mime_type) or "").partition("/")[0]
    return first if first in {"image", "video", "audio"} else "document"


def other_part(block: object) -> Part:
    """Return a part of a kind that the convention does not have; of its members only the kind is told."""
    return {"type": as_text(get(block, "type")) or _UNKNOWN}


def read_openai_part(block: object) -> list[Part]:
    """Return the parts for one block of content in OpenAI's words, which many others use as well."""
    if isinstance(block, str):
        return text_parts(block)
    kind = as_text(get(block, "type"))
    text = get(block, "text")
    if kind in {"text", "input_text", "output_text", "summary_text"} or (kind is None and isinstance(text, str)):
        return text_parts(text)
    if kind == "refusal":
        return text_parts(get(block, "refusal"))
    if kind in {"thinking", "reasoning", "reasoning_text"}:
        thoughts = get(block, "thinking") or text
        texts = [as_text(get(each, "text")) or "" for each in as_list(thoughts)]
        return reasoning_parts(thoughts if isinstance(thoughts, str) else "".join(texts))
    if kind in {"image_url", "input_image", "image"}:
        url = get(block, "image_url")
        return _read_reference("image", get(url, "url") if is_object(url) or hasattr(url, "url") else url, block)
    if kind == "input_audio":
        audio = get(block, "input_audio")
        data = audio if isinstance(audio, str) else get(audio, "data")
        return [blob_part("audio", data, _AUDIO_TYPES.get(str(get(audio, "format"))))]
    if kind in {"file", "input_file", "document_url"}:
        file = get(block, "file") or block
        return _read_reference("document", get(file, "file_url") or get(file, "document_url"), file)
    if kind == "video_url":
        return _read_reference("video", get(get(block, "video_url"), "url"), block)
    return [other_part(block)]


def _read_reference(modality: str, url: object, holder: object) -> list[Part]:
    """Return the part for a file that is somewhere else, at the provider, or in the request."""
    if isinstance(url, str):
        return [uri_part(modality, url)]
    if (file_id := as_text(get(holder, "file_id"))) is not None:
        return [file_part(modality, file_id)]
    data = as_text(get(holder, "file_data")) or ""
    return [uri_part(modality, data) if data.startswith("data:") else blob_part(modality, data)]


def read_openai_parts(content: object) -> list[Part]:
    """Return the parts of a message's content: a text, or a list of blocks."""
    if isinstance(content, str):
        return text_parts(content)
    return [part for block in as_list(content) for part in read_openai_part(block)]


def join_texts(parts: Sequence[Part]) -> Any:
    """Return the text of parts that are all text; else the parts."""
    if all(part["type"] == "text" for part in parts):
        return "".join(part["content"] for part in parts)
    return list(parts)


def merge_parts(parts: Iterable[Part]) -> list[Part]:
    """Return the parts of a stream with neighbours of one kind, text or reasoning, as one."""
    merged: list[Part] = []
    for part in parts:
        if merged and part["type"] == merged[-1]["type"] and part["type"] in {"text", "reasoning"}:
            merged[-1]["content"] += part["content"]
        else:
            merged.append(part)
    return merged


def make_message(role: object, parts: Iterable[Part], name: object = None) -> Message:
    """Return a message that was sent."""
    return {"role": as_text(role) or _UNKNOWN, "parts": list(parts), **drop_none(name=as_text(name))}


def make_answer(parts: Iterable[Part], reason: object, role: object = "assistant") -> Message:
    """Return a message that a model made."""
    return {
        "role": as_text(role) or "assistant",
        "parts": list(parts),
        "finish_reason": name_finish_reason(reason),
    }


def make_input(messages: Sequence[Message], system: Sequence[Part] = ()) -> dict[str, Any]:
    """Return the attributes of what was sent; system: what was sent apart from the conversation."""
    named = {A.GEN_AI_SYSTEM_INSTRUCTIONS: list(system), A.GEN_AI_INPUT_MESSAGES: list(messages)}
    return {name: value for name, value in named.items() if value}


def make_output(messages: Sequence[Message]) -> dict[str, Any]:
    """Return the attributes of what came back."""
    return {A.GEN_AI_OUTPUT_MESSAGES: list(messages)} if messages else {}
