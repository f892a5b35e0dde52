"""One odd piece of an answer costs the facts that it says itself, and no other; nothing of it reaches the application.

Each member of each part of an answer is replaced by values of other kinds, and left out. The provider says the result
to the real client.
"""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from wire_answers import APIS, WAYS, Conversation, Ended, Way, converse

from otel_agentops.operations import Answer

MISSING = object()
MOST = int(os.environ.get("AGENTOPS_ODD_ANSWERS", "20"))  # changes of one way that are tried
ODD_VALUES = (None, {"odd": 1}, ["odd"], 7, "odd", MISSING)
# The members that say a fact, in every protocol; a member that says how the others are read costs all of its object.
# A count of input in the body takes the place of the service's own counts.
_INPUT_COUNTS = {
    "prompt_tokens", "prompt_token_count", "inputTextTokenCount", "inputTokenCount", "input_tokens", "inputTokens",
}  # fmt: skip
WORDS = {
    "model": {"model", "modelVersion", "model_id", "model_version"},
    "gen_ai.response.id": {"id", "responseId", "generation_id", "response_id"},
    "gen_ai.response.finish_reasons": {
        "finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason", "status", "output", "done",
        "completionReason", "reason",
    },
    "input_tokens": {
        *_INPUT_COUNTS, "promptTokenCount", "prompt_eval_count", "total_input_tokens", "total_tool_use_tokens",
        "cacheReadInputTokenCount", "cacheWriteInputTokenCount",
        "cache_read_input_tokens", "cache_creation_input_tokens",
        "cacheReadInputTokens", "cacheWriteInputTokens", "toolUsePromptTokenCount",
    },
    "output_tokens": {
        "completion_tokens", "output_tokens", "candidatesTokenCount", "thoughtsTokenCount", "eval_count",
        "outputTokens", "generation_token_count", "tokenCount", "totalOutputTextTokenCount", "outputTokenCount",
        "total_output_tokens", "total_thought_tokens",
    },
    "gen_ai.usage.cache_read.input_tokens": {
        "cached_tokens", "cache_read_input_tokens", "cachedContentTokenCount", "cacheReadInputTokens",
        "cacheReadInputTokenCount", "total_cached_tokens", *_INPUT_COUNTS,
    },
    "gen_ai.usage.cache_creation.input_tokens": {
        "cache_creation_input_tokens", "cacheWriteInputTokens", "cacheWriteInputTokenCount", *_INPUT_COUNTS,
    },
    "gen_ai.usage.reasoning.output_tokens": {
        "reasoning_tokens", "thinking_tokens", "thoughtsTokenCount", "total_thought_tokens",
    },
    "gen_ai.conversation.id": {"conversation_id"},
    "openai.response.service_tier": {"service_tier"},
    "openai.response.system_fingerprint": {"system_fingerprint"},
    "tool_calls": {
        "tool_calls", "function", "functionCall", "name", "arguments", "args", "input", "partial_json", "toolUse",
        "index", "content_block", "contentBlockIndex", "finish_reason", "stop_reason", "output", "status", "content",
        "message", "parts", "delta",
        "outputs", "tool_call_id", "steps", "step", "response",
    },
    "effective_params": {"temperature", "top_p", "max_output_tokens"},
    "error": {"error"},
    "usd": {"cost"},
}  # fmt: skip
KINDS = frozenset({"type", "event_type", "object", "role"})  # members that say how the others of their object are read

# A client that validates leaves out the object of a member like these, if it is of another kind.
DROPPED = {"openrouter": frozenset({"audio_tokens", "video_tokens", "image_tokens"})}
# A client that finds an odd member in an event hands on its JSON, which has more than the client's classes.
GAINED = {"mistralai": {"gen_ai.usage.cache_read.input_tokens"}}
# Errors of a client in a layer above the stream that is observed.
ABOVE_STREAM = {"google_genai": TypeError}


class Change(NamedTuple):
    """One changed member. part: number of the part; path: keys and indexes in it."""

    part: int
    path: tuple[Any, ...]
    value: Any


def list_paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything inside a JSON value."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield (*path, name)
        yield from list_paths(member, (*path, name))


def find(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


def apply_change(parts: list[Any], change: Change) -> list[Any]:
    """Return the parts with one member changed."""
    changed = copy.deepcopy(parts)
    holder = find(changed[change.part], change.path[:-1])
    if change.value is MISSING:
        del holder[change.path[-1]]
    else:
        holder[change.path[-1]] = change.value
    return changed


def list_changes(parts: list[Any]) -> Iterator[Change]:
    """Yield two changes of every member, in turns; of parts that have the same members only the first and the last."""
    values = itertools.cycle(ODD_VALUES)
    shapes = [str(sorted(map(str, list_paths(part)))) + str(part.get("type") or part.get("event")) for part in parts]
    for number, part in enumerate(parts):
        if shapes.index(shapes[number]) == number or number == len(parts) - 1:
            for path in list_paths(part):
                yield from (Change(number, path, next(values)) for _ in range(2))
                next(values)


def list_facts(answer: Answer | None) -> dict[str, Any]:
    """Return the facts of an answer by name."""
    if answer is None:
        return {}
    facts: dict[str, Any] = {**answer._asdict(), **answer.attributes}
    del facts["attributes"]
    facts["tool_calls"] = list(answer.tool_calls)
    return facts


def list_costs(parts: list[Any], change: Change, dropped: frozenset[str]) -> set[str]:
    """Return the facts that a change may cost."""
    names = [name for name in change.path if isinstance(name, str)]
    place = change.path[:-1] if names and names[-1] in (*KINDS, *dropped) else change.path
    inside = {str(name) for path in list_paths(find(parts[change.part], place)) for name in path}
    said = {*names[-1:], *inside}
    return {fact for fact, words in WORDS.items() if words & said or (fact == "tool_calls" and words & set(names))}


def lost_facts(conversation: Conversation, before: Ended, parts: list[Any], change: Change) -> str | None:
    """Return a sentence for facts that a change has cost beside those that it says itself; None if there are none."""
    ended, outcome = conversation.hear_parts(apply_change(parts, change))
    if isinstance(outcome, ABOVE_STREAM.get(conversation.way.client, ())):
        return None
    if isinstance(outcome, Exception):
        return None if ended.error_type else f"{change}: {outcome!r}"
    wanted, found = list_facts(before.facts), list_facts(ended.facts)
    is_dropped = conversation.way.is_stream and len(outcome) < len(parts)  # by the client, which validates
    costs = list_costs(
        parts, change._replace(path=()) if is_dropped else change, DROPPED.get(conversation.way.client, frozenset())
    )
    lost = {name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)} - costs
    lost -= GAINED.get(conversation.way.client, set()) - wanted.keys()
    return f"{change}: {[(name, wanted.get(name), found.get(name)) for name in sorted(lost)]}" if lost else None


@pytest.mark.parametrize("way", [*WAYS, *APIS], ids=str)
def test_odd_member_costs_its_own_fact_alone(way: Way) -> None:
    with converse(way) as conversation:
        before, parts = conversation.record()
        changes = list(list_changes(parts))
        step = max(1, len(changes) * (2 if way.api else 1) // MOST)
        problems = [lost_facts(conversation, before, parts, change) for change in changes[::step]]
    assert not [problem for problem in problems if problem]
