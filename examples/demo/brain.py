"""The models behind the fake provider: they read the request, offered tools included, and answer from it.

Nothing here knows of a phase. One model is careful, its successor talks past the question; both fill in a tool's
arguments from the schema they are offered, so that a schema which no longer fits the tool makes calls that fail.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from otel_agentops.testing.fake_provider import Answer, Call, ToolCall

CAREFUL = "gpt-5.5-2026-03-05"
HASTY = "gpt-5.5-2026-10-21"
JUDGE = "claude-haiku-5-20260401"
ALIAS = "gpt-5.5"
ALIASES = {ALIAS: CAREFUL, "claude-haiku-5": JUDGE}

_SLIPS = {CAREFUL: 0.005, HASTY: 0.9}  # share of the questions that a model talks past
_FLUFF = "Thank you for reaching out! I totally understand how you feel, and we are always happy to be of service."
_SORRY = "I am sorry, my systems are unavailable at this moment. Please try again tomorrow."
_ORDER = re.compile(r"A-(\d+)")


def answer(call: Call) -> Answer:
    """Return the answer of the model of this call."""
    if "messages" not in call.body:
        return Answer()
    made = _judge(call.body) if call.model == JUDGE else _support(call)
    return _add_sizes(call, made)


def _add_sizes(call: Call, made: Answer) -> Answer:
    """Return the answer with token counts, an id and a time that go with its texts."""
    asked, said = json.dumps(call.body["messages"]), made.text + "".join(use.arguments for use in made.tool_calls)
    mark = zlib.crc32(f"{asked}{said}".encode())
    return Answer(
        text=made.text,
        tool_calls=made.tool_calls,
        input_tokens=len(asked) // 4,
        output_tokens=max(1, len(said) // 4),
        cached_tokens=0,
        reasoning_tokens=0,
        chunks=max(1, len(said) // 20),
        id=f"{mark:08x}",
        seconds=0.02 + mark % 40 / 1000,
    )


# -- the support models


def _support(call: Call) -> Answer:
    messages: list[Mapping[str, Any]] = call.body["messages"]
    question = next(str(message["content"]) for message in messages if message["role"] == "user")
    results = [json.loads(message["content"]) for message in messages if message["role"] == "tool"]
    if any("error" in result for result in results):
        return Answer(_SORRY)
    if use := _wanted_tool(question, len(results), call.body.get("tools") or []):
        return Answer(text="", tool_calls=(use,))
    if _chance(question) < _SLIPS.get(call.model, 0):
        return Answer(_FLUFF)
    article = _find_article(str(messages[0]["content"]), question, results)
    return Answer(" ".join([*map(_describe_result, results), *article]))


def _wanted_tool(question: str, used: int, offered: Sequence[Mapping[str, Any]]) -> ToolCall | None:
    """Return the next tool: an order is looked up first and, if it is damaged, refunded then."""
    named = _ORDER.search(question)
    wanted = ["lookup_order", "issue_refund"] if "damaged" in question else ["lookup_order"]
    if named is None or used >= len(wanted):
        return None
    tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in offered}
    if (name := wanted[used]) not in tools:
        return None
    return ToolCall(name, json.dumps(_arguments(tools[name], named)), id=f"call_{used + 1}")


def _arguments(schema: Mapping[str, Any], order: re.Match[str]) -> dict[str, Any]:
    """Return the fields of the schema that the question has."""
    return {name: _argument(wanted, order) for name, wanted in schema["properties"].items()}


def _argument(wanted: Mapping[str, Any], order: re.Match[str]) -> Any:
    if "enum" in wanted:
        return wanted["enum"][0]
    return int(order[1]) if wanted.get("type") == "integer" else order[0]


def _describe_result(result: Mapping[str, Any]) -> str:
    if "refunded" in result:
        return f"{result['refunded']} {result['currency']} of order {result['order_id']} are refunded."
    return f"Order {result['order_id']}, the {result['item']}, is {result['state']} with {result['carrier']}."


def _find_article(system: str, question: str, results: Sequence[Any]) -> list[str]:
    """Return the article that shares most words with the question; none if the tools returned everything."""
    if results and "damaged" not in question:
        return []
    articles = [line.removeprefix("- ") for line in system.splitlines() if line.startswith("- ")]
    return [max(articles, key=lambda article: len(_words(article) & _words(question)))] if articles else []


# -- the judge


def _judge(body: Mapping[str, Any]) -> Answer:
    """Return the verdict: an answer is supported by the share of its words that the context has."""
    case = json.loads(body["messages"][-1]["content"])
    said = _words(case["answer"])
    known = _words(" ".join(case["context"]))
    score = round(len(said & known) / len(said), 2) if said else 0.0
    return Answer(json.dumps({"score": score, "reason": f"{len(said & known)} of {len(said)} words are supported."}))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]{4,}", text.lower()))


def _chance(text: str) -> float:
    """Return a number between 0 and 1, the same for the same text."""
    return zlib.crc32(text.encode()) / 2**32
