"""The words of OpenAI's chats and completions, in the spelling of everybody who speaks the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from otel_agentops._endpoint import Content, ContentReader
from otel_agentops.clients._protocols.fields import as_list, as_text, get, is_object
from otel_agentops.clients._protocols.parts import (
    Message,
    Part,
    blob_part,
    join_texts,
    make_answer,
    make_input,
    make_message,
    make_output,
    merge_parts,
    read_openai_parts,
    reasoning_parts,
    text_parts,
    tool_call_part,
    tool_response_part,
)


def read_chat_messages(body: Mapping[str, Any]) -> Content:
    """Read `POST /chat/completions`; system turns are a part of the conversation."""
    return make_input(read_turns(body.get("messages")))


def read_turns(turns: Any) -> list[Message]:
    """Return the turns of a conversation."""
    return [_read_turn(turn) for turn in as_list(turns) if is_object(turn) or hasattr(turn, "role")]


def _read_turn(turn: Any) -> Message:
    role = get(turn, "role")
    if as_text(role) in {"tool", "function"}:
        call_id = get(turn, "tool_call_id") or get(turn, "name") or get(turn, "tool_name")
        content = get(turn, "content")
        response = content if isinstance(content, str) else join_texts(read_openai_parts(content))
        return make_message("tool", [tool_response_part(call_id, response)])
    return make_message(role, read_message_parts(turn), get(turn, "name"))


def read_message_parts(message: Any) -> list[Part]:
    """Return the parts of a message: what the model thought, what it says, and the tools that it calls."""
    thoughts = get(message, "reasoning_content") or get(message, "reasoning") or get(message, "thinking")
    parts = reasoning_parts(thoughts) + read_openai_parts(get(message, "content")) + text_parts(get(message, "refusal"))
    if (audio := get(message, "audio")) is not None and (data := get(audio, "data")):
        parts.append(blob_part("audio", data))
        parts += text_parts(get(audio, "transcript"))
    calls = [*as_list(get(message, "tool_calls")), *_list_function_call(message)]
    return parts + [_read_tool_call(call) for call in calls]


def _list_function_call(message: Any) -> list[Any]:
    function = get(message, "function_call")  # what tools were called before there were others
    return [] if function is None else [{"function": function}]


def _read_tool_call(call: Any) -> Part:
    inner = get(call, "function") or get(call, "custom") or call
    arguments = get(inner, "arguments")
    return tool_call_part(get(call, "id"), get(inner, "name"), get(inner, "input") if arguments is None else arguments)


def read_chat_choices(result: Any) -> Content:
    """Read a `ChatCompletion`, a `Completion`, or its JSON."""
    return make_output([_read_choice(choice) for choice in as_list(get(result, "choices"))])


def _read_choice(choice: Any) -> Message:
    message = get(choice, "message")
    parts = text_parts(get(choice, "text")) if message is None else read_message_parts(message)
    return make_answer(parts, get(choice, "finish_reason") or get(choice, "stop_reason"), get(message, "role"))


class _Joined:
    """One choice of a stream, as its pieces add up."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.blocks: list[Any] = []
        self.calls: list[dict[str, Any]] = []
        self.reason: Any = None
        self._latest: dict[Any, dict[str, Any]] = {}  # by index, which some servers give twice

    def add_choice(self, choice: Any) -> None:
        """Add a piece."""
        self.reason = get(choice, "finish_reason") or get(choice, "stop_reason") or self.reason
        delta = get(choice, "delta")
        for name in ("reasoning_content", "reasoning", "refusal"):
            if isinstance(text := get(delta, name), str):
                self.texts.setdefault(name, []).append(text)
        for content in (get(choice, "text"), get(delta, "content")):
            self.blocks += [content] if isinstance(content, str) else as_list(content)
        for piece in (*as_list(get(delta, "tool_calls")), *_list_function_call(delta)):
            self._add_tool_call(piece)

    def _add_tool_call(self, piece: Any) -> None:
        function, index = get(piece, "function") or get(piece, "custom"), get(piece, "index")
        name, arguments = get(function, "name"), get(function, "arguments") or get(function, "input")
        if name or index not in self._latest:
            self._latest[index] = {"id": get(piece, "id"), "function": {"name": name, "arguments": ""}}
            self.calls.append(self._latest[index])
        joined = self._latest[index]["function"]
        joined["arguments"] = joined["arguments"] + arguments if isinstance(arguments, str) else arguments or ""

    def make_message(self) -> Message:
        """Return the message so far."""
        joined: dict[str, Any] = {name: "".join(texts) for name, texts in self.texts.items()}
        joined |= {"content": self.blocks, "tool_calls": self.calls}
        return make_answer(merge_parts(read_message_parts(joined)), self.reason)


def join_chat_chunks(chunks: Sequence[Any]) -> Content:
    """Read all chunks of a chat or a completion."""
    return join_choices(choice for chunk in chunks for choice in as_list(get(chunk, "choices")))


def join_choices(choices: Iterable[Any]) -> Content:
    """Join the choices of all chunks of a stream, which come by their index."""
    joined: dict[int, _Joined] = {}
    for choice in choices:
        index = get(choice, "index")
        joined.setdefault(index if type(index) is int else 0, _Joined()).add_choice(choice)
    return make_output([joined[index].make_message() for index in sorted(joined)])


def read_prompts(body: Mapping[str, Any]) -> Content:
    """Read `POST /completions`: a prompt, or several; tokens are told by their number."""
    prompt = body.get("prompt")
    prompts = [prompt] if isinstance(prompt, str) else [text for text in as_list(prompt) if isinstance(text, str)]
    return make_input([make_message("user", text_parts(text)) for text in prompts])


CHAT = ContentReader(read_chat_messages, read_chat_choices, join_chat_chunks)
COMPLETION = ContentReader(read_prompts, read_chat_choices, join_chat_chunks)
