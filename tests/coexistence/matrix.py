"""The expectation for every cell: one span a call, and each deviation with its reason. docs/coexistence.md shows it.

    python tests/coexistence/matrix.py

prints the tables of the document; tools/support.py writes them. The tests hold every row against the real packages, in
both directions: a deviation that is no longer there fails as well.

Four parts: every way to call openai and anthropic (`DEVIATIONS`), the plain ways of the other clients (`beside` in
tests/clients/<client>/<client>_subject.py), the bodies of Bedrock's InvokeModel (`BODIES`), and the openai client below
LangChain, Langfuse and logfire (`FRAMEWORKS`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from otel_agentops.testing.subject import Beside, Subject, load

CLIENTS = Path(__file__).parents[1] / "clients"
PEERS = ("official", "OpenLLMetry", "OpenInference")
OURS_FIRST, THEIRS_FIRST = ORDERS = ("ours first", "theirs first")
NATIVE = "native"  # the client's own tracing
WAYS = ("", " stream", " manager", " raw", " raw stream", " streaming response")
CALLS = {
    "openai": (*(f"chat{way}" for way in WAYS), "responses", "responses stream", "embeddings"),
    "anthropic": (*(f"messages{way}" for way in WAYS), "beta messages", "beta messages manager"),
}


class Expected(NamedTuple):
    """The spans of one call, with us installed.

    Attributes:
        spans: Their number.
        carrier: The instrumentation whose span has our identity.
        answer: True if that span has the answer's model and tokens.
        tokens: The number of spans that count 11 input tokens.
        why: The reason, if this is not one span that has everything.
    """

    spans: int
    carrier: str
    answer: bool = True
    tokens: int = 1
    why: str = ""


class Deviation(NamedTuple):
    """Calls that cannot have one complete span.

    Attributes:
        client: The client.
        beside: Who else traces the calls, the peer before the client itself.
        calls: A pattern of kind and call.
        expected: The spans that they have.
        order: One of `ORDERS`, None for both.
    """

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
MEASURED_TWICE = f"{_BOTH}; their span has ended before the call is made, so both they and we measure it"
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


def find_expected(client: str, beside: tuple[str, ...], order: str, call: str) -> Expected:
    """Return the spans of a call; `beside` names the peer before the client itself."""
    if len(beside) == 2:
        return _combine_both(client, beside[0], order, call)
    for deviation in DEVIATIONS:
        matches = (deviation.client, deviation.beside) == (client, beside) and deviation.order in (None, order)
        if matches and re.fullmatch(deviation.calls, call):
            return deviation.expected
    return Expected(1, beside[0] if beside else "ours")


def _combine_both(client: str, peer: str, order: str, call: str) -> Expected:
    """Return the spans of a call that a peer and the client trace: the client's, inside, has our identity."""
    theirs, own = find_expected(client, (peer,), order, call), find_expected(client, (NATIVE,), order, call)
    theirs_counted = theirs.tokens - (theirs.carrier == "ours")
    if peer == "OpenInference":  # it has names of its own for token counts
        theirs_counted = 0
    why = _BOTH if theirs.carrier != "ours" else MEASURED_TWICE
    return Expected(2, NATIVE, own.answer, theirs_counted + own.tokens, why)


def list_combinations() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each client of the first part with those who trace it beside us."""
    for client in CALLS:
        yield client, ()
        yield from ((client, (peer,)) for peer in PEERS)
        if client == "anthropic":
            yield client, (NATIVE,)
            yield from ((client, (peer, NATIVE)) for peer in PEERS)


def list_calls(client: str) -> list[str]:
    """Return the calls of a client of the first part, sync and async."""
    return [f"{kind} {call}" for kind, call in product(("sync", "async"), CALLS[client])]


# -- the plain ways of the other clients


def find_row(subject: Subject, peer: str, order: str, call: str) -> Beside | None:
    """Return the row about a call that is not one span with everything, None if there is none.

    `Beside.order` names who is installed first: `ours` or `theirs`.
    """
    first = order.removesuffix(" first")
    rows = [
        row
        for row in subject.beside
        if row.peer == peer and row.order in (None, first) and re.fullmatch(row.calls, call)
    ]
    assert len(rows) < 2, f"two rows are about {peer}, {order}, {call}"
    return rows[0] if rows else None


# -- the bodies of InvokeModel, and knowledge bases: [whose, has identity, has answer] of each span that is not THEIRS

THEIRS, OURS = [["theirs", True, True]], [["ours", True, True]]
BESIDE = [["ours", True, True], ["theirs", False, False]]
ENDED = [["theirs", True, False]]
LOST: list[Any] = []
BODIES: dict[str, dict[str, list[Any]]] = {
    # Its spans of knowledge bases are remote procedure calls, as those of every other service: no GenAI spans.
    "official": dict.fromkeys(["retrieve", "generate", "stream generate"], BESIDE),
    # Its wrapper of these streams fails, logs that, and never ends the span: nor does it without us.
    "OpenLLMetry": {
        **dict.fromkeys(["stream titan", "stream command", "stream command-r", "stream jamba", "stream hidden"], LOST),
        # It does not observe knowledge bases.
        **dict.fromkeys(["retrieve", "generate", "stream generate"], OURS),
    },
    # It ends these spans before the first chunk is read: they have the request's identity, not the answer's.
    "OpenInference": dict.fromkeys(
        [
            f"stream {family}"
            for family in (
                "titan", "llama", "mistral", "mistral chat", "command", "command-r", "deepseek", "jamba", "unknown"
            )
        ],
        ENDED,
    ),
}  # fmt: skip


# -- the openai client below other packages, by package and peer, as above

FRAMEWORKS: dict[str, dict[str, dict[str, list[Any]]]] = {
    "langchain": {
        "OpenLLMetry": {"embed": OURS, "chat, and the client after it": OURS + THEIRS},
        "OpenInference": {"embed": OURS, "chat, and the client after it": OURS + THEIRS},
    },
    "langfuse": {"Langfuse": {}},
    "logfire": {"logfire": {"stream": ENDED}},
}


# -- the tables of docs/coexistence.md


def write_matrix() -> Iterator[str]:
    """Yield the lines of the first part's table: calls with the same spans share a row."""
    yield "| client | beside us | calls | spans | our identity is on | tokens counted on | why |"
    yield "|" + "---|" * 7
    for client, beside in list_combinations():
        groups: dict[Expected, list[tuple[str, str]]] = {}
        for order, call in product(ORDERS, list_calls(client)):
            groups.setdefault(find_expected(client, beside, order, call), []).append((order, call))
        for expected, group in sorted(groups.items(), key=lambda item: -len(item[1])):
            is_rest = len(groups) > 1 and group == max(groups.values(), key=len)
            title = "all" if len(groups) == 1 else "all others" if is_rest else ", ".join(_name_calls(group))
            yield _write_row(client, beside, title, expected)


def _name_calls(group: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the calls of a group, with their kind of client or order if only one of the two is in it."""
    for name in dict.fromkeys(call.partition(" ")[2] for _, call in group):
        orders = {kind: [order for order, call in group if call == f"{kind} {name}"] for kind in ("sync", "async")}
        if orders["sync"] == orders["async"]:
            orders = {"": orders["sync"]}
        for kind, in_order in orders.items():
            if in_order:
                yield f"{kind} {name}".strip() + (f" ({in_order[0]})" if len(in_order) == 1 else "")


def _write_row(client: str, beside: tuple[str, ...], title: str, expected: Expected) -> str:
    others = " and ".join("its own tracing" if name == NATIVE else name for name in beside) or "nobody"
    carrier = {"ours": "ours", NATIVE: "the client's own"}.get(expected.carrier, f"that of {expected.carrier}")
    answer = "" if expected.answer else ", without the answer"
    tokens = {0: "none", 1: "1 span"}.get(expected.tokens, f"{expected.tokens} spans")
    return f"| {client} | {others} | {title} | {expected.spans} | {carrier}{answer} | {tokens} | {expected.why} |"


def write_beside() -> Iterator[str]:
    """Yield the lines of the second part's table: each peer, and each call that is not one span with everything."""
    yield "| client | beside | calls | spans | our identity is on | why |"
    yield "|---|---|---|---|---|---|"
    for name in list_subjects():
        subject = load(CLIENTS / name)
        for peer in subject.peers:
            rows = [row for row in subject.beside if row.peer == peer]
            if not any(row.calls == ".*" for row in rows):
                yield f"| {name} | {peer} | {'all others' if rows else 'all'} | 1 | theirs | |"
            for row in rows:
                calls = "all" if row.calls == ".*" else row.calls.replace("|", "\\|")
                calls += f", {row.order} first" if row.order else ""
                carrier = ("ours" if row.ours else "theirs") + ("" if row.answer else ", without the answer")
                yield f"| {name} | {peer} | {calls} | {row.spans} | {carrier} | {row.why} |"


def list_subjects() -> list[str]:
    """Return the clients of the second part."""
    folders = (
        path.parent.name for path in CLIENTS.glob("*/*_subject.py") if path.stem == f"{path.parent.name}_subject"
    )
    return sorted(set(folders) - {*CALLS})


if __name__ == "__main__":
    print("\n".join(write_matrix()), end="\n\n")
    print("\n".join(write_beside()))
