"""What is expected of every cell: one span a call, and each deviation with its reason. docs/coexistence.md shows it.

    python tests/coexistence/matrix.py

prints the table of the document. The tests hold every row against the real packages, in both directions: a deviation
that is no longer there fails as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

PEERS = ("official", "OpenLLMetry", "OpenInference")
ORDERS = ("ours first", "theirs first")
PACKAGES = {
    ("openai", "official"): "opentelemetry-instrumentation-genai-openai",
    ("openai", "OpenLLMetry"): "opentelemetry-instrumentation-openai",
    ("openai", "OpenInference"): "openinference-instrumentation-openai",
    ("anthropic", "official"): "opentelemetry-instrumentation-genai-anthropic",
    ("anthropic", "OpenLLMetry"): "opentelemetry-instrumentation-anthropic",
    ("anthropic", "OpenInference"): "openinference-instrumentation-anthropic",
}
NATIVE = "native"  # the client's own tracing
WAYS = ("", " stream", " manager", " raw", " raw stream", " streaming response")
CALLS = {
    "openai": (*(f"chat{way}" for way in WAYS), "responses", "responses stream", "embeddings"),
    "anthropic": (*(f"messages{way}" for way in WAYS), "beta messages", "beta messages manager"),
}


class Expected(NamedTuple):
    """What one call makes, with us installed.

    spans: how many. carrier: whose span has our identity. answer: whether that span has what the answer says (model,
    tokens). tokens: how many spans count 11 input tokens. why: of whatever differs from one span that has it all.
    """

    spans: int
    carrier: str
    answer: bool = True
    tokens: int = 1
    why: str = ""


class Deviation(NamedTuple):
    """Where one complete span a call cannot be had. calls: a pattern of kind and call. order: None for both."""

    client: str
    beside: tuple[str, ...]
    calls: str
    expected: Expected
    order: str | None = None


_EARLY = "their span ends before the body is read: it has the request's identity, not the answer's"
_LATE = "their span is started after the answer came: too late to be this call's, so there are two"
_BEFORE = "their span has ended before the call is made: it is not this call's, so there are two"
_ZERO = "they overwrite the input tokens with 0"
_BOTH = "they and the client's own tracing make a span each without us too; turn one of them off"
DEVIATIONS = (
    Deviation("openai", ("official",), "async chat streaming response", Expected(1, "official", False, 0, _EARLY)),
    Deviation("openai", ("OpenLLMetry",), "(sync|async) chat raw stream", Expected(1, "OpenLLMetry", False, 0, _EARLY)),
    Deviation(
        "openai", ("OpenLLMetry",), "async chat streaming response", Expected(1, "OpenLLMetry", False, 0, _EARLY)
    ),
    Deviation("openai", ("OpenLLMetry",), "(sync|async) responses( stream)?", Expected(2, "ours", True, 2, _LATE)),
    Deviation(
        "openai",
        ("OpenInference",),
        "sync chat streaming response",
        Expected(1, "OpenInference", False, 0, _EARLY),
        "theirs first",
    ),
    Deviation(
        "openai", ("OpenInference",), "async chat streaming response", Expected(1, "OpenInference", False, 0, _EARLY)
    ),
    Deviation(
        "anthropic", ("OpenLLMetry",), "(sync|async) messages raw stream", Expected(1, "OpenLLMetry", False, 0, _EARLY)
    ),
    Deviation(
        "anthropic", ("OpenLLMetry",), "(sync|async) beta messages manager", Expected(2, "ours", True, 1, _BEFORE)
    ),
    Deviation("anthropic", ("OpenLLMetry",), "async messages raw", Expected(1, "OpenLLMetry", True, 0, _ZERO)),
    Deviation(
        "anthropic",
        ("OpenLLMetry",),
        "async messages streaming response",
        Expected(1, "OpenLLMetry", False, 0, _EARLY),
    ),
    Deviation(
        "anthropic",
        ("OpenInference",),
        "(sync|async) messages (raw stream|streaming response)",
        Expected(1, "OpenInference", False, 0, _EARLY),
    ),
    Deviation(
        "anthropic", (NATIVE,), "(sync|async) messages streaming response", Expected(1, NATIVE, False, 0, _EARLY)
    ),
)


def expected(client: str, beside: tuple[str, ...], order: str, call: str) -> Expected:
    """What a call makes. beside: who else traces it, the peer before the client itself."""
    if len(beside) == 2:
        return _two(client, beside[0], order, call)
    for deviation in DEVIATIONS:
        where = (deviation.client, deviation.beside) == (client, beside) and deviation.order in (None, order)
        if where and re.fullmatch(deviation.calls, call):
            return deviation.expected
    return Expected(1, beside[0] if beside else "ours")


def _two(client: str, peer: str, order: str, call: str) -> Expected:
    """A peer and the client's own tracing: the innermost span, which is the client's, carries our identity."""
    theirs, own = expected(client, (peer,), order, call), expected(client, (NATIVE,), order, call)
    counted = theirs.tokens - (theirs.carrier == "ours")
    if peer == "OpenInference":  # it has names of its own for token counts
        counted = 0
    return Expected(2, NATIVE, own.answer, counted + own.tokens, _BOTH)


def combinations() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Who else may trace the calls of a client."""
    for client in CALLS:
        yield client, ()
        yield from ((client, (peer,)) for peer in PEERS)
        if client == "anthropic":
            yield client, (NATIVE,)
            yield from ((client, (peer, NATIVE)) for peer in PEERS)


def calls(client: str) -> list[str]:
    """Every kind of call, sync and async."""
    return [f"{kind} {call}" for kind, call in product(("sync", "async"), CALLS[client])]


def table() -> str:
    """The table of docs/coexistence.md: calls that come out alike share a row."""
    lines = ["| client | beside us | calls | spans | our identity is on | tokens counted on | why |", "|" + "---|" * 7]
    for client, beside in combinations():
        groups: dict[Expected, list[tuple[str, str]]] = {}
        for order, call in product(ORDERS, calls(client)):
            groups.setdefault(expected(client, beside, order, call), []).append((order, call))
        for found, group in sorted(groups.items(), key=lambda item: -len(item[1])):
            rest = len(groups) > 1 and group == max(groups.values(), key=len)
            which = "all" if len(groups) == 1 else "all others" if rest else ", ".join(_names(group))
            lines.append(_row(client, beside, which, found))
    return "\n".join(lines) + "\n"


def _names(group: list[tuple[str, str]]) -> Iterator[str]:
    """The calls of a group; with its kind of client or its order where only one of the two is meant."""
    for name in dict.fromkeys(call.partition(" ")[2] for _, call in group):
        orders = {kind: [order for order, call in group if call == f"{kind} {name}"] for kind in ("sync", "async")}
        if orders["sync"] == orders["async"]:
            orders = {"": orders["sync"]}
        for kind, found in orders.items():
            if found:
                yield f"{kind} {name}".strip() + (f" ({found[0]})" if len(found) == 1 else "")


def _row(client: str, beside: tuple[str, ...], which: str, found: Expected) -> str:
    others = " and ".join("its own tracing" if name == NATIVE else name for name in beside) or "nobody"
    carrier = {"ours": "ours", NATIVE: "the client's own"}.get(found.carrier, f"that of {found.carrier}")
    answer = "" if found.answer else ", without the answer"
    tokens = {0: "none", 1: "1 span"}.get(found.tokens, f"{found.tokens} spans")
    return f"| {client} | {others} | {which} | {found.spans} | {carrier}{answer} | {tokens} | {found.why} |"


if __name__ == "__main__":
    print(table(), end="")
