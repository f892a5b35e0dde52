"""The vocabulary of the fake provider: requests, answers, and the steps that may go wrong between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, object]  # an object that is only written
Body: TypeAlias = dict[str, Any]  # an object that is read: `json.loads` leaves its values untyped


@dataclass(frozen=True)
class Ok:
    """A step at which nothing goes wrong; it fills a place in a script."""


@dataclass(frozen=True)
class Status:
    """An error response.

    Attributes:
        status: HTTP status.
        retry_after: Seconds for the Retry-After header; None leaves the header out.
        message: Text of the error.
    """

    status: int
    retry_after: float | None = None
    message: str = "as scripted"


@dataclass(frozen=True)
class Break:
    """A cut of the connection after this many chunks of a stream, or before a plain answer."""

    after: int = 0


@dataclass(frozen=True)
class Fail:
    """An error event after this many chunks of a stream; a plain answer becomes a 500."""

    after: int = 0
    message: str = "as scripted"


@dataclass(frozen=True)
class Hang:
    """A silence of some seconds before the answer, or after this many chunks; then the connection is cut."""

    seconds: float
    after: int = 0


@dataclass(frozen=True)
class Delay:
    """A wait before the plain answer, or before each chunk of a stream."""

    seconds: float


@dataclass(frozen=True)
class Malformed:
    """A 200 with a body that is not JSON; in a stream, the chunk after this many is not JSON."""

    after: int = 0


@dataclass(frozen=True)
class Say:
    """An answer in the words of the wire: these are the chunks of a stream, and the first is the plain body."""

    parts: Sequence[Json]


Step: TypeAlias = "Ok | Status | Break | Fail | Hang | Delay | Malformed | Say"
STEPS: Mapping[str, Callable[..., Step]] = {
    kind.__name__: kind for kind in (Ok, Status, Break, Fail, Hang, Delay, Malformed, Say)
}


def dump_step(step: Step) -> Json:
    """Return the step as a JSON object."""
    return {"step": type(step).__name__, **asdict(step)}


def parse_step(step: Json) -> Step:
    """Build the step that `dump_step` wrote.

    Raises:
        ValueError: The object is not a step; the message says what to do.
    """
    fields = dict(step)
    name = fields.pop("step", None)
    if name not in STEPS:
        raise ValueError(f"step {name!r} is not known; use one of {', '.join(STEPS)}")
    try:
        return STEPS[str(name)](**fields)
    except TypeError as error:
        raise ValueError(f"step {name}: {error}") from None


@dataclass(frozen=True)
class ToolCall:
    """A tool call that the model asks for; `arguments` is JSON text."""

    name: str
    arguments: str
    id: str = "call_1"


@dataclass(frozen=True)
class Answer:
    """The answer of the model, in no provider's words.

    Attributes:
        text: The words; empty for none.
        tool_calls: The tools that the model asks for.
        thinking: The reasoning that the provider shows; empty for none.
        input_tokens: All of the input, cached tokens included, as OpenAI counts.
        output_tokens: All of the output, reasoning included, as OpenAI counts.
        cached_tokens: The part of the input that was read from a cache.
        cache_write_tokens: The part of the input that was written to a cache.
        reasoning_tokens: The part of the output that was reasoning.
        chunks: The number of parts into which a stream cuts the text.
        finish: Finish reason in the provider's own word; None for its natural one.
        id: The end of the response's id.
        seconds: Time that the model takes.
        headers: Further headers of the response, which is an error's as well.
    """

    text: str = "Hello there."
    tool_calls: tuple[ToolCall, ...] = ()
    thinking: str = ""
    input_tokens: int = 11
    output_tokens: int = 5
    cached_tokens: int = 4
    cache_write_tokens: int = 0
    reasoning_tokens: int = 2
    chunks: int = 3
    finish: str | None = None
    id: str = "fake"
    seconds: float = 0
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def fresh_tokens(self) -> int:
        """Return the input tokens that no cache was involved in."""
        return self.input_tokens - self.cached_tokens - self.cache_write_tokens

    @property
    def total_tokens(self) -> int:
        """Return input and output tokens together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Call:
    """A recorded request.

    Attributes:
        path: The path with its query.
        headers: The headers by lower-case name.
        body: The JSON object; empty if the request has another kind of body or none.
        model: The model that answers; aliases are resolved.
        method: HTTP method.
        sha256: Of the body's bytes as they arrived, as hexadecimal digits.
    """

    path: str
    headers: Mapping[str, str]
    body: Body = field(default_factory=dict)
    model: str = ""
    method: str = "POST"
    sha256: str = ""


Answerer: TypeAlias = Callable[[Call], Answer]
Condition: TypeAlias = Callable[[Call], bool]
