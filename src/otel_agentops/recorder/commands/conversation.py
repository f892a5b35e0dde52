"""A call as a conversation: messages as the GenAI convention has them, whatever the provider's protocol.

The readers are those that write content on spans. A body that none of them reads is shown as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from otel_agentops._endpoint import Content, ContentReader
from otel_agentops.clients._protocols import (
    anthropic_content,
    cohere_content,
    mistral_content,
    ollama_content,
    openai_chat_content,
    openai_responses_content,
)
from otel_agentops.clients.bedrock import _content as bedrock_content
from otel_agentops.clients.google_genai import _content as google_content
from otel_agentops.recorder.commands.steps import Step, unwrap_event
from otel_agentops.semconv import attributes as A

Message = Mapping[str, Any]


class Exchange(NamedTuple):
    """The words of one call.

    Attributes:
        instructions: Texts that stand apart from the conversation.
        messages: What was sent.
        answers: What came back.
        tools: The definitions of tools, as they were sent.
        params: The other members of the request.
        is_read: False if no reader knows the body.
    """

    instructions: Sequence[Message] = ()
    messages: Sequence[Message] = ()
    answers: Sequence[Message] = ()
    tools: Sequence[Any] = ()
    params: Mapping[str, Any] = {}
    is_read: bool = False


_WORDS = ("messages", "input", "contents", "prompt", "message", "system", "systemInstruction", "system_instruction",
          "instructions", "tools", "toolConfig", "chat_history", "inputs", "query", "documents")  # fmt: skip


# Readers by the member that a request has, in order, and its provider; "" is any other provider.
_READERS: Mapping[str, Mapping[str, ContentReader]] = {
    "contents": {"": google_content.CONTENT},
    "anthropic_version": {"": anthropic_content.MESSAGES},
    "messages": {
        "anthropic": anthropic_content.MESSAGES,
        "aws.bedrock": bedrock_content.CONVERSE,
        "cohere": cohere_content.CHAT,
        "ollama": ollama_content.GENERATION,
        "": openai_chat_content.CHAT,
    },
    "input": {
        "gcp.gemini": google_content.INTERACTION,
        "mistral_ai": mistral_content.CONVERSATION,
        "": openai_responses_content.RESPONSES,
    },
    "inputs": {"mistral_ai": mistral_content.CONVERSATION},
    "message": {"": cohere_content.V1_CHAT},
    "prompt": {"ollama": ollama_content.GENERATION, "": openai_chat_content.COMPLETION},
}


def choose_reader(body: Any, provider: object) -> ContentReader | None:
    """Return the reader of a request by its provider and the members that it has; None if nobody knows them."""
    if not isinstance(body, Mapping):
        return None
    nothing: Mapping[str, ContentReader] = {}
    readers = next((readers for name, readers in _READERS.items() if name in body), nothing)
    return readers.get(str(provider)) or readers.get("")


def read_exchange(step: Step) -> Exchange:
    """Return the words of a call."""
    body = step.read_json("request")
    reader = choose_reader(body, step.entry.attributes.get(A.GEN_AI_PROVIDER_NAME))
    if reader is None:
        return Exchange()
    sent = reader.request(body)
    return Exchange(
        instructions=sent.get(A.GEN_AI_SYSTEM_INSTRUCTIONS, ()),
        messages=sent.get(A.GEN_AI_INPUT_MESSAGES, ()),
        answers=read_answers(reader, step),
        tools=body.get("tools") or (body.get("toolConfig") or {}).get("tools") or (),
        params={name: value for name, value in body.items() if name not in _WORDS},
        is_read=bool(sent),
    )


def read_answers(reader: ContentReader, step: Step) -> Sequence[Message]:
    """Return the messages that came back, whole or in chunks."""
    is_wrapped = reader is mistral_content.CONVERSATION  # it reads the events as the client has them
    chunks = [chunk if is_wrapped else unwrap_event(chunk) for _, chunk in step.read_chunks()]
    content: Content = {}
    if chunks:
        content = reader.chunks(chunks)
    elif (response := step.read_json("response")) is not None:
        content = reader.response(response)
    answers: Sequence[Message] = content.get(A.GEN_AI_OUTPUT_MESSAGES, ())
    return answers


def find_new_messages(exchange: Exchange, before: Exchange) -> Sequence[Message]:
    """Return the messages of a request behind those of an earlier request and its answer."""
    known = [(message.get("role"), message.get("parts")) for message in (*before.messages, *before.answers)]
    sent = [(message.get("role"), message.get("parts")) for message in exchange.messages]
    return exchange.messages[count_common(sent, known) :]


def count_common(first: Sequence[object], second: Sequence[object]) -> int:
    """Return how many members two sequences begin with in common."""
    shorter = min(len(first), len(second))
    return next((place for place in range(shorter) if first[place] != second[place]), shorter)


def format_part(part: Message) -> str:
    """Return a part of a message as text."""
    kind = part.get("type")
    if kind in ("text", "reasoning"):
        return str(part.get("content", ""))
    if kind == "tool_call":
        return f"→ {part.get('name')}({format_value(part.get('arguments'))})"
    if kind == "tool_call_response":
        return f"← {format_value(part.get('response', part.get('result')))}"
    return format_value(part)


def format_value(value: object) -> str:
    """Return a text as it is, and anything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def join_parts(parts: Iterable[Message]) -> str:
    """Return parts as one text, a line or more each."""
    return "\n".join(map(format_part, parts))
