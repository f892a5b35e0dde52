"""The clients that are timed: two inside the process, every other by its description on a provider beside it.

openai and anthropic have a transport of their own (workload.py), so that no socket is part of what is timed. The others
are called as their description says (tests/clients/<client>/<client>_subject.py), on the fake provider in another
process: only the client's own processor time counts, the sockets' included, alike with and without instrumentation.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from bench.variants import VARIANTS
from bench.workload import TOOLS, WORDS, WORKLOADS
from otel_agentops.testing.fake_provider import Answer, Call, process
from otel_agentops.testing.subject import MODEL, RESOLVED, ChatRequest, Subject, load

CLIENTS = Path(__file__).parents[1] / "tests" / "clients"
NAMES = (
    *WORKLOADS,
    *sorted(path.parent.name for path in CLIENTS.glob("*/*_subject.py") if path.parent.name not in WORKLOADS),
)
CHUNKS = 50


class Timed(Protocol):
    """A workload for the worker; `kinds` maps a row to a shape and a kind of client."""

    @property
    def kinds(self) -> Mapping[str, tuple[str, str]]: ...

    def sync_call(self, shape: str) -> Callable[[int], None]: ...

    def async_call(self, shape: str) -> Callable[[int], Awaitable[None]]: ...


def answer(call: Call) -> Answer:
    """Return the provider's answer: fifty chunks if it is streamed."""
    return Answer(text="word " * CHUNKS, chunks=CHUNKS)


def _small(number: int) -> ChatRequest:
    return ChatRequest(system=None, user=f"Where is order {number}?", max_tokens=None)


def _typical(number: int) -> ChatRequest:
    return ChatRequest(system=WORDS * 3, user=f"({number}) {WORDS * 36}", tools=_TOOLS, max_tokens=400)


_TOOLS = [{"name": name, "description": text, "parameters": schema} for name, text, schema in TOOLS]
SHAPES = {"small": _small, "typical": _typical, "stream": _small}


class Described:
    """A client by its description."""

    def __init__(self, subject: Subject, provider: Any) -> None:
        self._subject = subject
        self._provider = provider

    @property
    def kinds(self) -> dict[str, tuple[str, str]]:
        shapes = [shape for shape in SHAPES if shape != "stream" or "stream" not in self._subject.missing]
        return {f"{shape} {kind}": (shape, kind) for shape in shapes for kind in self._subject.kinds}

    def sync_call(self, shape: str) -> Callable[[int], None]:
        client, request = self._subject.client("sync", self._provider), self._choose_request(shape)
        if shape == "stream":

            def stream(number: int) -> None:
                for _ in self._subject.stream(client, request(number)):
                    pass

            return stream
        return lambda number: self._subject.chat(client, request(number))

    def async_call(self, shape: str) -> Callable[[int], Awaitable[None]]:
        client, request = self._subject.client("async", self._provider), self._choose_request(shape)
        if shape == "stream":

            async def stream(number: int) -> None:
                made = self._subject.stream(client, request(number))
                async for _ in made if hasattr(made, "__aiter__") else await made:
                    pass

            return stream

        async def chat(number: int) -> None:
            await self._subject.chat(client, request(number))

        return chat

    def _choose_request(self, shape: str) -> Callable[[int], ChatRequest]:
        if shape == "typical" and "tools" in self._subject.missing:
            return lambda number: _typical(number)._replace(tools=())
        return SHAPES[shape]


@contextmanager
def serve_workload(name: str) -> Iterator[Timed]:
    """Serve a client's workload, with the provider that it needs."""
    if name in WORKLOADS:
        yield WORKLOADS[name]
        return
    subject = load(CLIENTS / name)
    with ExitStack() as stack:
        if type(subject).serve is Subject.serve:
            aliases = f"--alias={MODEL}={RESOLVED}"
            provider: Any = stack.enter_context(process("--answers=bench.clients:answer", aliases))
        else:  # another protocol than HTTP, spoken by a thread of this process
            provider = stack.enter_context(subject.serve())
            provider.alias(MODEL, RESOLVED)
            provider.answer(answer)
        yield Described(subject, provider)


def variants(client: str) -> list[str]:
    """Return the variants that instrument a client, in the order of the table; `none` first."""
    if client in WORKLOADS:
        return list(VARIANTS)
    titles = {variant.title: name for name, variant in VARIANTS.items()}
    peers = [titles[title] for title in load(CLIENTS / client).peers if title in titles]
    return [name for name in VARIANTS if name in ("none", "ours", *peers)]


def instrumentor(variant: str, client: str) -> Any:
    """Return the instrumentor of a variant for a client, None for the run without."""
    if client in WORKLOADS:
        point = VARIANTS[variant].instrumentor(client)
        return None if point is None else point.load()
    subject = load(CLIENTS / client)
    if variant == "ours":
        return subject.instrumentor
    where = subject.peers.get(VARIANTS[variant].title)
    if where is None:
        return None
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


def versions(client: str, named: list[str]) -> list[str]:
    """Return the client's distribution and those of its instrumentations, each with its version."""
    if client in WORKLOADS:
        distributions = [client, *(VARIANTS[name].packages.get(client, "") for name in named)]
    else:
        own: Any = load(CLIENTS / client).instrumentor
        modules = [where.partition(":")[0] for where in load(CLIENTS / client).peers.values()]
        distributions = [each.distribution for each in own.libraries] + [
            module.replace(".", "-").replace("_", "-") for module in modules
        ]
    return [f"{name} {version}" for name in distributions if (version := _version(name))]


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None


def is_installed(client: str) -> bool:
    """Return True if the client is in this environment; some need one of their own."""
    if client in WORKLOADS:
        return True
    own: Any = load(CLIENTS / client).instrumentor
    return _version(own.libraries[0].distribution) is not None
