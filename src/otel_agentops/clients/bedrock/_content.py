"""The words said to the models of Bedrock: in Converse, in the bodies of InvokeModel, and to knowledge bases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_agentops._endpoint import Content, ContentReader
from otel_agentops.clients._protocols.fields import as_list, as_text, get
from otel_agentops.clients._protocols.parts import (
    Part,
    blob_part,
    join_texts,
    make_answer,
    make_input,
    make_message,
    make_output,
    other_part,
    reasoning_parts,
    text_parts,
    tool_call_part,
    tool_response_part,
    uri_part,
)
from otel_agentops.semconv import attributes as A

_MEDIA = ("image", "video", "audio", "document")

# -- Converse


def read_converse_request(body: Mapping[str, Any]) -> Content:
    """Read Converse and ConverseStream; the system's words are apart from the conversation."""
    turns = as_list(body.get("messages"))
    messages = [make_message(get(turn, "role"), _read_blocks(get(turn, "content"))) for turn in turns]
    return make_input(messages, _read_blocks(body.get("system")))


def _read_blocks(blocks: object) -> list[Part]:
    return [part for block in as_list(blocks) for part in _read_block(block)]


def _read_block(block: object) -> list[Part]:
    if isinstance(text := get(block, "text"), str):
        return text_parts(text)
    if (use := get(block, "toolUse")) is not None:
        return [tool_call_part(get(use, "toolUseId"), get(use, "name"), get(use, "input"))]
    if (result := get(block, "toolResult")) is not None:
        return [tool_response_part(get(result, "toolUseId"), _read_tool_result(as_list(get(result, "content"))))]
    if (reasoning := get(block, "reasoningContent")) is not None:
        return reasoning_parts(get(get(reasoning, "reasoningText"), "text"))
    if (guarded := get(block, "guardContent")) is not None:
        return text_parts(get(get(guarded, "text"), "text"))
    if get(block, "cachePoint") is not None:
        return []
    for modality in _MEDIA:
        if (media := get(block, modality)) is not None:
            return [_read_media(modality, media)]
    return [other_part({"type": next(iter(block), None)} if isinstance(block, Mapping) else block)]


def _read_tool_result(blocks: Sequence[object]) -> Any:
    if len(blocks) == 1 and (value := get(blocks[0], "json")) is not None:
        return value
    return join_texts(_read_blocks(blocks))


def _read_media(modality: str, media: object) -> Part:
    name, source = as_text(get(media, "format")), get(media, "source")
    mime_type = f"{modality}/{name}" if name and modality != "document" else None
    if (uri := as_text(get(get(source, "s3Location"), "uri"))) is not None:
        return uri_part(modality, uri, mime_type)
    return blob_part(modality, get(source, "bytes"), mime_type)


def read_converse_response(result: object) -> Content:
    """Read the result of Converse, or a body of the same shape."""
    message = get(get(result, "output"), "message")
    return make_output([make_answer(_read_blocks(get(message, "content")), get(result, "stopReason"))])


def join_converse_events(events: Sequence[object]) -> Content:
    """Read all events of ConverseStream."""
    blocks: dict[Any, dict[str, Any]] = {}
    reason: object = None
    for event in events:
        if (start := get(event, "contentBlockStart")) is not None:
            if (use := get(get(start, "start"), "toolUse")) is not None:
                blocks[get(start, "contentBlockIndex")] = {"toolUse": {**use, "input": ""}}
        elif (piece := get(event, "contentBlockDelta")) is not None:
            _add_delta(blocks.setdefault(get(piece, "contentBlockIndex"), {}), get(piece, "delta"))
        elif (stop := get(event, "messageStop")) is not None:
            reason = get(stop, "stopReason")
    return make_output([make_answer(_read_blocks(list(blocks.values())), reason)])


def _add_delta(block: dict[str, Any], delta: object) -> None:
    if isinstance(text := get(delta, "text"), str):
        block["text"] = block.get("text", "") + text
    elif "toolUse" in block:
        block["toolUse"]["input"] += as_text(get(get(delta, "toolUse"), "input")) or ""
    elif isinstance(thought := get(get(delta, "reasoningContent"), "text"), str):
        reasoning = block.setdefault("reasoningContent", {"reasoningText": {"text": ""}})
        reasoning["reasoningText"]["text"] += thought


CONVERSE = ContentReader(read_converse_request, read_converse_response, join_converse_events)

# -- models that continue a text

_LISTS = ("outputs", "generations", "choices", "completions", "results")  # of an answer with more than one text
_TEXTS = ("text", "outputText", "generation", "completion")
_REASONS = ("stop_reason", "finish_reason", "completionReason", "finishReason")


def read_completion_request(body: Mapping[str, Any]) -> Content:
    """Read a body with a `prompt`, or Titan's with an `inputText`."""
    parts = text_parts(body.get("prompt") or body.get("inputText"))
    return make_input([make_message("user", parts)] if parts else [])


def _read_texts(body: object) -> list[tuple[str, object]]:
    """Return text and finish reason of each answer in a body."""
    answers = next((as_list(texts) for name in _LISTS if (texts := get(body, name)) is not None), (body,))
    pairs = []
    for answer in answers:
        holder = get(answer, "data") or answer
        text = next((text for name in _TEXTS if (text := as_text(get(holder, name))) is not None), "")
        reason = next((reason for name in _REASONS if (reason := get(answer, name)) is not None), None)
        pairs.append((text, get(reason, "reason") if isinstance(reason, Mapping) else reason))
    return pairs


def read_completion_response(body: object) -> Content:
    """Read the texts of an answer."""
    return make_output([make_answer(text_parts(text), reason) for text, reason in _read_texts(body)])


def join_completion_chunks(chunks: Sequence[object]) -> Content:
    """Read all chunks of a streamed text."""
    pairs = [pair for chunk in chunks for pair in _read_texts(chunk)]
    reason = next((reason for _, reason in reversed(pairs) if reason), None)
    return make_output([make_answer(text_parts("".join(text for text, _ in pairs)), reason)])


COMPLETION = ContentReader(read_completion_request, read_completion_response, join_completion_chunks)


def read_inside(reader: ContentReader, decode_body: Callable[[Any], dict[str, Any]]) -> ContentReader:
    """Return the reader of InvokeModel around that of a model's own bodies."""
    return ContentReader(
        reader.request,
        lambda response: reader.response(decode_body(response.body)),
        lambda events: reader.chunks([decode_body(get(get(event, "chunk"), "bytes") or b"") for event in events]),
    )


# -- knowledge bases


def read_retrieve_request(body: Mapping[str, Any]) -> Content:
    """Read the query of Retrieve."""
    text = as_text(get(body.get("retrievalQuery"), "text"))
    return {} if text is None else {A.GEN_AI_RETRIEVAL_QUERY_TEXT: text}


def read_generate_request(body: Mapping[str, Any]) -> Content:
    """Read the question of RetrieveAndGenerate."""
    return make_input([make_message("user", text_parts(get(body.get("input"), "text")))])


def read_generate_response(result: object) -> Content:
    """Read the answer of RetrieveAndGenerate, or of its stream as one."""
    return join_generate_events([result])


def join_generate_events(events: Sequence[object]) -> Content:
    """Read all events of RetrieveAndGenerateStream."""
    text = "".join(as_text(get(get(event, "output"), "text")) or "" for event in events)
    return make_output([make_answer(text_parts(text), None)])


GENERATE = ContentReader(read_generate_request, read_generate_response, join_generate_events)
