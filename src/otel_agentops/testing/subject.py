"""The description of a client under test: how it is made, how it is called, and in what its span differs from others.

One description serves the contract (`otel_agentops.testing.contract`), the coexistence matrix and the bench.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from typing_extensions import TypeVar

from otel_agentops._hashing import identity
from otel_agentops.semconv import attributes as A
from otel_agentops.testing import SECONDS, Values
from otel_agentops.testing.fake_provider import FakeProvider

KINDS = ("sync", "async")
MODEL = "m-x"
RESOLVED = "m-x-2026-03-01"
SYSTEM = "You help the customers of a small shop."
USER = "Where is my order 10093?"
TOOL: Values = {
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "Its name"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
}
SCHEMA: Values = {
    "type": "object",
    "properties": {"found": {"type": "boolean"}},
    "required": ["found"],
    "additionalProperties": False,
}
ClientT = TypeVar("ClientT", default=Any)


class ChatRequest(NamedTuple):
    """A request of an application, in no client's words.

    Attributes:
        model: The model by name.
        system: The system turn; None for none.
        user: The user's turn.
        tools: Name, description and parameters (a JSON schema) of each tool.
        temperature: None to leave it out.
        max_tokens: None to leave it out.
        schema: The JSON schema that the answer is to keep to; None for free text.
    """

    model: str = MODEL
    system: str | None = SYSTEM
    user: str = USER
    tools: Sequence[Values] = ()
    temperature: float | None = 0.2
    max_tokens: int | None = 64
    schema: Values | None = None

    def turns(self) -> list[Values]:
        """Return the messages as OpenAI and its many followers have them."""
        system = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*system, {"role": "user", "content": self.user}]

    def functions(self) -> list[Values]:
        """Return the tools as OpenAI and its many followers have them."""
        return [{"type": "function", "function": dict(tool)} for tool in self.tools]

    def sampling(self) -> dict[str, Any]:
        """Return `temperature` and `max_tokens` without those that are None."""
        options = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {name: value for name, value in options.items() if value is not None}


class Beside(NamedTuple):
    """An exception to the rule that a call beside another instrumentation makes one span that has everything.

    Attributes:
        peer: Title of the other instrumentation.
        calls: Pattern of kind and way, such as "(sync|async) stream".
        spans: Number of spans.
        ours: True if our identity is on a span of ours, False if it is on theirs.
        answer: True if that span has the attributes of the answer.
        why: The reason, as a clause about the peer.
        order: The side that was installed first, "ours" or "theirs"; None for both orders.
    """

    peer: str
    calls: str
    spans: int
    ours: bool
    answer: bool
    why: str
    order: str | None = None


class Subject(Generic[ClientT]):
    """A client under test; a subclass describes what is its own.

    The type parameter is the client object, of either kind. Methods that call it return the result or, for an async
    client, an awaitable of it.

    Attributes:
        name: The entry point without `agentops_`.
        instrumentor: The class of the instrumentation.
        provider: `gen_ai.provider.name`.
        operation: `gen_ai.operation.name` of `chat`.
        kinds: The kinds of clients, of "sync" and "async".
        params: Temperature and max_tokens of a `ChatRequest` as the wire has them; they are hashed in this form.
        sampling: Sampling parameters of the wire whose source is told if they are unset.
        missing: Cases of the contract that the client does not have, each with the reason.
        errors: `error.type` of a case if it is not the exception that the application sees.
        peers: Other instrumentations, `module:class` by title.
        beside: Exceptions beside those instrumentations.
        volatile: Fields of a result that the client fills in itself, such as the time.
        attempts_known: False if the client retries without anybody seeing it.
    """

    name: ClassVar[str]
    instrumentor: ClassVar[type[BaseInstrumentor]]
    provider: ClassVar[str]
    operation: ClassVar[str] = "chat"
    kinds: ClassVar[Sequence[str]] = KINDS
    params: ClassVar[Values] = {"temperature": 0.2, "max_tokens": 64}
    sampling: ClassVar[Sequence[str]] = (
        "temperature",
        "top_p",
        "frequency_penalty",
        "presence_penalty",
        "seed",
        "stop",
    )
    missing: ClassVar[Mapping[str, str]] = {}
    errors: ClassVar[Mapping[str, str]] = {}
    peers: ClassVar[Mapping[str, str]] = {}
    beside: ClassVar[Sequence[Beside]] = ()
    volatile: ClassVar[frozenset[str]] = frozenset()
    attempts_known: ClassVar[bool] = True

    # -- calls

    def serve(self) -> AbstractContextManager[FakeProvider]:
        """Start a provider that speaks the client's protocol."""
        return FakeProvider()

    def client(self, kind: str, provider: FakeProvider, *, retries: int = 0, timeout: float = 5.0) -> ClientT:
        """Create a client object.

        Args:
            kind: One of `kinds`.
            provider: The provider that it talks to.
            retries: Attempts after the first.
            timeout: Seconds until an attempt is given up.
        """
        raise NotImplementedError

    def chat(self, client: ClientT, request: ChatRequest) -> object:
        """Make the plain call."""
        raise NotImplementedError

    def stream(self, client: ClientT, request: ChatRequest) -> object:
        """Make the same call streamed; the result is an iterator of either kind."""
        raise NotImplementedError

    def chat_raw(self, client: ClientT, request: ChatRequest) -> object:
        """Make the plain call for a response that the client has not parsed, and read it whole."""
        raise NotImplementedError

    def chat_structured(self, client: ClientT, request: ChatRequest) -> object:
        """Make the plain call for an answer that keeps to `request.schema`."""
        raise NotImplementedError

    def chat_one_shot(self, client: ClientT, request: ChatRequest) -> object:
        """Make the plain call with messages, and tools if there are some, as iterators that can be read once."""
        raise NotImplementedError

    def chat_unset(self, client: ClientT, request: ChatRequest) -> object:
        """Make the plain call with every sentinel for "not given" that the client has as the value of an option."""
        raise NotImplementedError

    def embed(self, client: ClientT, texts: Sequence[str]) -> object:
        """Get embeddings of texts by the model `MODEL`."""
        raise NotImplementedError

    def close(self, client: ClientT) -> object:
        """Close the client object; the result is None or an awaitable."""
        close = getattr(client, "close", None) or getattr(client, "aclose", None)
        return close() if callable(close) else None

    # -- spans

    def server(self, provider: FakeProvider) -> Values:
        """Return the attributes of the server that a call goes to."""
        return {A.SERVER_ADDRESS: "127.0.0.1", A.SERVER_PORT: int(provider.url.rpartition(":")[2])}

    def parameters(self, way: str) -> Values:
        """Return the parameters that shape the answer, as the wire has them; empty if the call has none."""
        if way == "embed":
            return {}
        return {**self.params, "response_format": self.format(SCHEMA)} if way == "structured" else self.params

    def format(self, schema: Values | None) -> Values:
        """Return a JSON schema for the answer as OpenAI and its followers have it in `response_format`."""
        return {"type": "json_schema", "json_schema": {"name": "order", "schema": schema, "strict": True}}

    def differs(self, way: str) -> Values:
        """Return the attributes of the span that differ from `expect_attributes`; None for one that is absent.

        Args:
            way: One of chat, stream, raw, structured, tools (a plain call that offers a tool and is answered with its
                call), embed, failed (no answer came), begun (a stream left after its first item), broken (a stream
                cut after two events).
        """
        return {}


def load(folder: Path) -> Subject:
    """Load the description in a client's folder of tests.

    Args:
        folder: The folder, whose file `<name>_subject.py` has the class with the folder's name. It may import from that
            folder and from the one above.

    Raises:
        ImportError: The description imports a library that is not installed.
    """
    for place in map(str, (folder.parent, folder)):
        if place not in sys.path:
            sys.path.insert(0, place)
    module = importlib.import_module(f"{folder.name}_subject")
    kinds = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Subject)]
    return next(kind() for kind in kinds if kind.__module__ == module.__name__ and kind.name == folder.name)


def expect_attributes(subject: Subject, way: str, provider: FakeProvider) -> Values:
    """Return the attributes that the span of a call must have, by name."""
    attributes = {**_expect_request(subject, way), **subject.server(provider)}
    if way != "failed":
        attributes |= {A.GEN_AI_RESPONSE_MODEL: RESOLVED, A.MODEL_RESOLUTION: "resolved"}
    if way not in ("failed", "embed", "begun", "broken"):
        attributes |= {
            A.GEN_AI_RESPONSE_FINISH_REASONS: ["tool_calls" if way == "tools" else "stop"],
            A.GEN_AI_USAGE_INPUT_TOKENS: 11,
            A.GEN_AI_USAGE_OUTPUT_TOKENS: 5,
            A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: 4,
            A.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: 2,
        }
    if way in ("stream", "begun", "broken"):
        attributes |= {A.GEN_AI_REQUEST_STREAM: True, A.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: SECONDS}
    if subject.attempts_known:
        attributes |= {A.ATTEMPT_COUNT: 1, A.ATTEMPT_STATUSES: [200]}
    return {**attributes, **subject.differs(way)}


def name_sources(names: Iterable[str], source: str = "unset") -> dict[str, object]:
    """Return the attributes that say one source of these parameters."""
    return {A.PARAM_SOURCE.format(name): source for name in names}


def _expect_request(subject: Subject, way: str) -> dict[str, object]:
    attributes: dict[str, object] = {
        A.GEN_AI_OPERATION_NAME: "embeddings" if way == "embed" else subject.operation,
        A.GEN_AI_PROVIDER_NAME: subject.provider,
        A.GEN_AI_REQUEST_MODEL: MODEL,
    }
    if way != "embed":
        attributes |= name_sources(subject.sampling)
    if params := subject.parameters(way):
        attributes |= name_sources(params, "explicit")
        attributes[A.PARAMS_HASH] = identity(dict(params))
    if way == "embed":
        return {**attributes, A.PROMPT_SOURCE: "none"}
    attributes |= {A.GEN_AI_REQUEST_TEMPERATURE: 0.2, A.GEN_AI_REQUEST_MAX_TOKENS: 64}
    attributes |= {A.PROMPT_SOURCE: "instructions", A.PROMPT_HASH: identity([SYSTEM])}
    if way == "structured":
        attributes[A.GEN_AI_OUTPUT_TYPE] = "json"
    if way == "tools":
        tool = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}
        tool_hash = identity(tool)
        attributes |= {A.TOOLS_HASH: identity([tool_hash]), A.TOOLS_VERSIONS: [f"{TOOL['name']}@{tool_hash}"]}
    return attributes
