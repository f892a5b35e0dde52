"""A client under test: how it is made, how it is called, and in what its span differs from that of any other.

One description serves the contract (`otel_agentops.testing.contract`), the coexistence matrix and the bench.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_agentops._hashing import identity
from otel_agentops.semconv import attributes as A
from otel_agentops.testing import SECONDS
from otel_agentops.testing.fake_provider import FakeProvider

KINDS = ("sync", "async")
MODEL = "m-x"
RESOLVED = "m-x-2026-03-01"
SYSTEM = "You help the customers of a small shop."
USER = "Where is my order 10093?"
TOOL: Mapping[str, Any] = {
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Its name"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"found": {"type": "boolean"}},
    "required": ["found"],
    "additionalProperties": False,
}


class Asked(NamedTuple):
    """What an application asks, in no client's words.

    system: None for no system turn. tools: name, description and parameters (JSON schema) of each. schema: the JSON
    schema that the answer is to keep to, None for free text.
    """

    model: str = MODEL
    system: str | None = SYSTEM
    user: str = USER
    tools: Sequence[Mapping[str, Any]] = ()
    temperature: float | None = 0.2
    max_tokens: int | None = 64
    schema: Mapping[str, Any] | None = None

    def turns(self) -> list[dict[str, Any]]:
        """The messages as OpenAI and its many followers have them."""
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*system, {"role": "user", "content": self.user}]

    def functions(self) -> list[dict[str, Any]]:
        """The tools in the same dialect."""
        return [{"type": "function", "function": dict(tool)} for tool in self.tools]

    def sampling(self) -> dict[str, Any]:
        """`temperature` and `max_tokens`, where they are given."""
        given = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {name: value for name, value in given.items() if value is not None}


class Beside(NamedTuple):
    """Where a call beside another instrumentation does not make one span that has everything.

    peer: its title. calls: a pattern of kind and way, such as "(sync|async) stream". spans: how many. ours: whether our
    identity is on a span of ours, else it is on theirs. answer: whether that span has what the answer says. order: who
    was installed first, "ours" or "theirs", None for both. why: the reason, as a clause about the peer.
    """

    peer: str
    calls: str
    spans: int
    ours: bool
    answer: bool
    why: str
    order: str | None = None


class Subject:
    """A client under test; a subclass says what is its own.

    name: the entry point without `agentops_`. provider: `gen_ai.provider.name`. operation: `gen_ai.operation.name` of
    `chat`. kinds: of clients. params: what `Asked`'s temperature and max_tokens become on the wire; they are hashed.
    missing: cases of the contract that the client does not have, each with the reason. errors: `error.type` of a case
    where it is not the exception that the application sees. peers: other instrumentations, `module:class` by title.
    attempts_known: False where the client tries again without anybody seeing it. volatile: fields of a result that the
    client fills in itself, such as the time.
    """

    name: ClassVar[str]
    instrumentor: ClassVar[type[BaseInstrumentor]]
    provider: ClassVar[str]
    operation: ClassVar[str] = "chat"
    kinds: ClassVar[Sequence[str]] = KINDS
    params: ClassVar[Mapping[str, Any]] = {"temperature": 0.2, "max_tokens": 64}
    missing: ClassVar[Mapping[str, str]] = {}
    errors: ClassVar[Mapping[str, str]] = {}
    peers: ClassVar[Mapping[str, str]] = {}
    beside: ClassVar[Sequence[Beside]] = ()
    volatile: ClassVar[frozenset[str]] = frozenset()
    attempts_known: ClassVar[bool] = True

    # -- how it is called

    def serve(self) -> AbstractContextManager[FakeProvider]:
        """A provider that speaks the client's protocol."""
        return FakeProvider()

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> Any:
        """A client object. retries: attempts after the first. timeout: seconds."""
        raise NotImplementedError

    def chat(self, client: Any, asked: Asked) -> Any:
        """The plain call: its result, or what is to be awaited for it."""
        raise NotImplementedError

    def stream(self, client: Any, asked: Asked) -> Any:
        """The same call streamed: an iterator of either kind, or what is to be awaited for it."""
        raise NotImplementedError

    def raw(self, client: Any, asked: Asked) -> Any:
        """The plain call for a response that the client has not parsed; the application reads it whole."""
        raise NotImplementedError

    def structured(self, client: Any, asked: Asked) -> Any:
        """The plain call for an answer that keeps to `asked.schema`."""
        raise NotImplementedError

    def embed(self, client: Any, texts: Sequence[str]) -> Any:
        """Embeddings of texts by the model `MODEL`."""
        raise NotImplementedError

    def one_shot(self, client: Any, asked: Asked) -> Any:
        """The plain call with the turns, and the tools where there are some, as iterators that can be read once."""
        raise NotImplementedError

    def unset(self, client: Any, asked: Asked) -> Any:
        """The plain call with every sentinel for "not given" that the client has, in the place of some options."""
        raise NotImplementedError

    def close(self, client: Any) -> Any:
        """Close the client object: None, or what is to be awaited."""
        close = getattr(client, "close", None) or getattr(client, "aclose", None)
        return close() if callable(close) else None

    # -- what its span holds

    def server(self, provider: FakeProvider) -> dict[str, Any]:
        """The attributes of where the call went."""
        return {A.SERVER_ADDRESS: "127.0.0.1", A.SERVER_PORT: int(provider.url.rpartition(":")[2])}

    def parameters(self, way: str) -> Mapping[str, Any]:
        """What shapes the answer, as the wire has it; empty where the call gives nothing."""
        if way == "embed":
            return {}
        return {**self.params, "response_format": self.format(SCHEMA)} if way == "structured" else self.params

    def format(self, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        """A JSON schema for the answer, as OpenAI and its followers have it in `response_format`."""
        return {"type": "json_schema", "json_schema": {"name": "order", "schema": schema, "strict": True}}

    def differs(self, way: str) -> Mapping[str, Any]:
        """Attributes of the span that are not the default of `expected`; None for one that is absent.

        way: chat, stream, raw, structured, tools (a plain call that offers a tool and is answered with its call),
        embed, failed (no answer came), begun (a stream left after its first item), broken (cut after two events).
        """
        return {}


def load(folder: Path) -> Subject:
    """The description in a client's folder of tests: the class in `<folder>/<name>_subject.py` with the folder's name.

    It may import from that folder and from the one above. Raises ImportError where it imports a library that is not
    installed.
    """
    for place in map(str, (folder.parent, folder)):
        if place not in sys.path:
            sys.path.insert(0, place)
    module = importlib.import_module(f"{folder.name}_subject")
    kinds = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Subject)]
    return next(kind() for kind in kinds if kind.__module__ == module.__name__ and kind.name == folder.name)


def expected(subject: Subject, way: str, provider: FakeProvider) -> dict[str, Any]:
    """The attributes of the span of a call, by name."""
    attributes = _asked(subject, way) | subject.server(provider)
    if way != "failed":
        attributes |= _answered(way)
    if way in ("stream", "begun", "broken"):
        attributes |= {A.GEN_AI_REQUEST_STREAM: True, A.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: SECONDS}
    if subject.attempts_known:
        attributes |= {A.ATTEMPT_COUNT: 1, A.ATTEMPT_STATUSES: [200]}
    return {**attributes, **subject.differs(way)}


def _asked(subject: Subject, way: str) -> dict[str, Any]:
    operation = "embeddings" if way == "embed" else subject.operation
    found: dict[str, Any] = {A.GEN_AI_OPERATION_NAME: operation, A.GEN_AI_PROVIDER_NAME: subject.provider}
    found |= {A.GEN_AI_REQUEST_MODEL: MODEL, **_parameters(subject.parameters(way))}
    if way == "embed":
        return {**found, A.PROMPT_SOURCE: "none"}
    found |= {A.GEN_AI_REQUEST_TEMPERATURE: 0.2, A.GEN_AI_REQUEST_MAX_TOKENS: 64}
    found |= {A.PROMPT_SOURCE: "instructions", A.PROMPT_HASH: identity([SYSTEM])}
    if way == "structured":
        found[A.GEN_AI_OUTPUT_TYPE] = "json"
    return {**found, **(_tools() if way == "tools" else {})}


def _parameters(params: Mapping[str, Any]) -> dict[str, Any]:
    sources = {A.PARAM_SOURCE.format(name): "explicit" for name in params}
    return {A.PARAMS_HASH: identity(dict(params)), **sources} if params else {}


def _tools() -> dict[str, Any]:
    material = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}
    value = identity(material)
    return {A.TOOLS_HASH: identity([value]), A.TOOLS_VERSIONS: [f"{TOOL['name']}@{value}"]}


_COUNTED = {
    A.GEN_AI_USAGE_INPUT_TOKENS: 11,
    A.GEN_AI_USAGE_OUTPUT_TOKENS: 5,
    A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: 4,
    A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: 2,
}


def _answered(way: str) -> dict[str, Any]:
    found: dict[str, Any] = {A.GEN_AI_RESPONSE_MODEL: RESOLVED, A.MODEL_RESOLUTION: "resolved"}
    if way not in ("embed", "begun", "broken"):
        found |= {A.GEN_AI_RESPONSE_FINISH_REASONS: ["tool_calls" if way == "tools" else "stop"], **_COUNTED}
    return found
