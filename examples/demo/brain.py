"""The models behind the fake provider, which answer from the request and the tools that it offers.

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
_ENOUGH = 0.7  # share of an answer's words that the context has to contain
_FLUFF = "Thank you for reaching out! I totally understand how you feel, and we are always happy to be of service."
_SORRY = "I am sorry, my systems are unavailable at this moment. Please try again tomorrow."
_ORDER = re.compile(r"A-(\d+)")


def answer_call(call: Call) -> Answer:
    """Answer a call as the model that it names would."""
    if "messages" not in call.body:
        return Answer()
    made = _grade_answer(call.body) if call.model == JUDGE else _answer_customer(call)
    return _add_sizes(call, made)


def _add_sizes(call: Call, made: Answer) -> Answer:
    """Return the answer with token counts, id and time derived from its text."""
    prompt, text = json.dumps(call.body["messages"]), made.text + "".join(use.arguments for use in made.tool_calls)
    mark = zlib.crc32(f"{prompt}{text}".encode())
    return Answer(
        text=made.text,
        tool_calls=made.tool_calls,
        input_tokens=len(prompt) // 4,
        output_tokens=max(1, len(text) // 4),
        cached_tokens=0,
        reasoning_tokens=0,
        chunks=max(1, len(text) // 20),
        id=f"{mark:08x}",
        seconds=0.02 + mark % 40 / 1000,
    )


# -- the support models


def _answer_customer(call: Call) -> Answer:
    """Ask for a tool, or answer from the articles and the results of tools."""
    messages: list[Mapping[str, Any]] = call.body["messages"]
    question = next(str(message["content"]) for message in messages if message["role"] == "user")
    results = [json.loads(message["content"]) for message in messages if message["role"] == "tool"]
    if any("error" in result for result in results):
        return Answer(_SORRY)
    if use := _choose_tool(question, len(results), call.body.get("tools") or []):
        return Answer(text="", tool_calls=(use,))
    if _draw_chance(question) < _SLIPS.get(call.model, 0):
        return Answer(_FLUFF)
    article = _find_article(str(messages[0]["content"]), question, results)
    return Answer(" ".join([*map(_describe_result, results), *article]))


def _choose_tool(question: str, used: int, offered: Sequence[Mapping[str, Any]]) -> ToolCall | None:
    """Return the next tool call: look an order up, then refund it if damaged."""
    named = _ORDER.search(question)
    wanted = ["lookup_order", "issue_refund"] if "damaged" in question else ["lookup_order"]
    if named is None or used >= len(wanted):
        return None
    tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in offered}
    if (name := wanted[used]) not in tools:
        return None
    return ToolCall(name, json.dumps(_fill_arguments(tools[name], named)), id=f"call_{used + 1}")


def _fill_arguments(schema: Mapping[str, Any], order: re.Match[str]) -> dict[str, Any]:
    """Return the arguments of a tool, filled in from the order in the question."""
    return {name: _fill_argument(wanted, order) for name, wanted in schema["properties"].items()}


def _fill_argument(wanted: Mapping[str, Any], order: re.Match[str]) -> Any:
    """Return the argument in the type that its schema wants."""
    if "enum" in wanted:
        return wanted["enum"][0]
    return int(order[1]) if wanted.get("type") == "integer" else order[0]


def _describe_result(result: Mapping[str, Any]) -> str:
    if "refunded" in result:
        return f"{result['refunded']} {result['currency']} of order {result['order_id']} are refunded."
    return f"Order {result['order_id']}, the {result['item']}, is {result['state']} with {result['carrier']}."


def _find_article(system: str, question: str, results: Sequence[Any]) -> list[str]:
    """Return the article nearest to the question; none if tools answered it."""
    if results and "damaged" not in question:
        return []
    articles = [line.removeprefix("- ") for line in system.splitlines() if line.startswith("- ")]
    return [max(articles, key=lambda article: len(_split_words(article) & _split_words(question)))] if articles else []


# -- the judge


def _grade_answer(body: Mapping[str, Any]) -> Answer:
    """Pass an answer if the context contains most of its words; the verdict is a call of the offered tool."""
    case, _, answer = str(body["messages"][-1]["content"]).rpartition("\nAnswer:\n")
    words = _split_words(answer)
    supported = words & _split_words(case.partition("\nContext:\n")[2])
    label = "pass" if words and len(supported) / len(words) >= _ENOUGH else "fail"
    verdict = {"explanation": f"{len(supported)} of {len(words)} words are supported.", "label": label}
    return Answer(text="", tool_calls=(ToolCall(body["tools"][0]["name"], json.dumps(verdict), id="toolu_1"),))


def _split_words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]{4,}", text.lower()))


def _draw_chance(text: str) -> float:
    """Return a number between 0 and 1 that depends on the text alone."""
    return zlib.crc32(text.encode()) / 2**32
