"""What a request meets: an answer, and what may go wrong on the way to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Ok:
    """Nothing goes wrong: fills a place in a script."""


@dataclass(frozen=True)
class Status:
    """An error response. retry_after: seconds, as the header says them."""

    status: int
    retry_after: float | None = None
    message: str = "as scripted"


@dataclass(frozen=True)
class Break:
    """The connection is cut after this many chunks of the stream, or before a plain answer."""

    after: int = 0


@dataclass(frozen=True)
class Fail:
    """An error event comes after this many chunks of the stream; a plain answer is a 500."""

    after: int = 0
    message: str = "as scripted"


@dataclass(frozen=True)
class Hang:
    """Nothing comes for this long, before the answer or after this many chunks; then the connection is cut."""

    seconds: float
    after: int = 0


@dataclass(frozen=True)
class Delay:
    """Each chunk, or the plain answer, is late by this much."""

    seconds: float


@dataclass(frozen=True)
class Malformed:
    """200 with what is no JSON: the body, or the chunk after this many."""

    after: int = 0


Step: TypeAlias = "Ok | Status | Break | Fail | Hang | Delay | Malformed"
STEPS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Ok, Status, Break, Fail, Hang, Delay, Malformed)}


def step_as_json(step: Step) -> dict[str, Any]:
    return {"step": type(step).__name__, **asdict(step)}


def step_from_json(given: Mapping[str, Any]) -> Step:
    """The step that `step_as_json` wrote. Raises ValueError, with what to do, for anything else."""
    fields = dict(given)
    name = fields.pop("step", None)
    if name not in STEPS:
        raise ValueError(f"step {name!r} is not known; use one of {', '.join(STEPS)}")
    try:
        step: Step = STEPS[name](**fields)
    except TypeError as error:
        raise ValueError(f"step {name}: {error}") from None
    return step


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model wants called. arguments: JSON text."""

    name: str
    arguments: str
    id: str = "call_1"


@dataclass(frozen=True)
class Answer:
    """What the model says. Token counts are totals, as OpenAI counts. chunks: into how many a stream cuts the text.

    id: the end of the response's id. finish: the reason in the provider's own word, None for the natural one.
    seconds: how long the model thinks. headers: further ones of the response.
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


@dataclass(frozen=True)
class Call:
    """One recorded request. headers: with lower-case names. body: its JSON, empty where it had none.

    model: what answers, aliases resolved. method: of HTTP.
    """

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    method: str = "POST"


Answerer = Callable[[Call], Answer]
When = Callable[[Call], bool]
