"""The records of the flight recorder, as a reader gets them.

An entry is one operation that is over: a `Call` with all its `Attempt`s, a `ToolRun`, a `Retrieval`, a `Judgement`, an
`Outcome`. Others are about the log itself: an `Intent` (a tool with effects is about to run), a `Gap` (something is
missing here, and why), a `Tombstone` (content was deleted, by whom and why).

Each has a clear head, which is these records, and perhaps content: what was said. Content is read by the functions of
`otel_agentops.recorder.reading` alone, when it is asked for; it may be gone (stripped, or its key destroyed) while the
head stays and still verifies.

    Entry             every kind has: ref, time, trace, span, attributes, mode, missing, commitment, users
    ├─ Operation      + how long it took, error_type
    │  ├─ Call        + attempts, chunks; content: request (one an attempt), response or chunks and stream, headers
    │  ├─ ToolRun     + tool, effect; content: arguments, result
    │  ├─ Retrieval   content: query, documents
    │  └─ Judgement   content: configuration
    ├─ Outcome        content: none
    ├─ Intent         + tool, effect; content: arguments
    ├─ Gap            + reason, count
    └─ Tombstone      + actor, reason, scope, count

A `SegmentHead` is what a file says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from otel_agentops.operations import Value
from otel_agentops.semconv import attributes as A

if TYPE_CHECKING:
    from pathlib import Path

    from otel_agentops.recorder.segment import Segment

MODES = ("off", "hashes", "redacted", "full")
WIRE, OBJECT, REDACTED, OFF = "wire", "object", "redacted", "off"  # the forms of a part


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The clear head that every entry has.

    Attributes:
        ref: `writer/number`, as it is on the span (`otel_agentops.content.ref`).
        index: Its place in the writer's tree, from 0.
        time_ns: When it began, in ns since the epoch.
        monotonic_ns: The same moment on a clock that never steps back, of this process alone.
        trace_id: 32 hex digits; None outside of a trace.
        span_id: 16 hex digits; None if it has no span.
        attributes: What its span has, or would have if it were sampled, by the names of `semconv`.
        mode: How content was kept, unless its class has a mode of its own: full, redacted, hashes or off.
        missing: The mandatory fields that could not be recorded.
        commitment: SHA-256 of the content's manifest, which has a salt; None without content.
        users: Keyed hashes of the ids of the person behind it; none if the application does not say who that is.
        line: The bytes on which the leaf of the tree is made.
        segment: The file that it is in.
        frame: The number of its frame there.
        position: Its number in the frame.
    """

    ref: str
    index: int
    time_ns: int
    monotonic_ns: int
    trace_id: str | None = None
    span_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    mode: str = "full"
    missing: tuple[str, ...] = ()
    commitment: str | None = None
    users: tuple[str, ...] = ()
    line: bytes = field(default=b"", repr=False, compare=False)
    segment: Segment | None = field(default=None, repr=False, compare=False)
    frame: int = field(default=0, repr=False, compare=False)
    position: int = field(default=0, repr=False, compare=False)

    @property
    def kind(self) -> str:
        """Return its kind as it is on disk."""
        return KINDS_BY_CLASS[type(self)]

    @property
    def task_id(self) -> Value | None:
        """Return the task that it belongs to; None outside of any."""
        return self.attributes.get(A.TASK_ID)

    @property
    def tenant(self) -> Value | None:
        """Return the tenant; None if the application has not said."""
        return self.attributes.get(A.TRAFFIC_TENANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Entry):
    """An operation that is over.

    Attributes:
        duration_ns: How long it took.
        error_type: `error.type`; None if it succeeded.
    """

    duration_ns: int = 0
    error_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP try of a call.

    Attributes:
        sent_ns: When its request was handed over, in ns after the call began; None if the client hides it.
        finished_ns: When its response was there, in ns after the call began; None if that is not known.
        status: HTTP status; 0 if no response came, None if it is not known.
        retry_after: Seconds that the server asked to wait; None if it did not.
    """

    sent_ns: int | None = None
    finished_ns: int | None = None
    status: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Operation):
    """One call of a model: a generation, an embedding, a ranking, or the fetch of an earlier answer.

    Attributes:
        attempts: In order.
        first_chunk_ns: After the call began; None if it was no stream.
        chunk_count: Of a stream.
    """

    attempts: tuple[Attempt, ...] = ()
    first_chunk_ns: int | None = None
    chunk_count: int = 0

    @property
    def model(self) -> Value | None:
        """Return the model that was asked for; None if the request names none."""
        return self.attributes.get(A.GEN_AI_REQUEST_MODEL)

    @property
    def answered_model(self) -> Value | None:
        """Return the model that answered; None if the provider does not say."""
        return self.attributes.get(A.GEN_AI_RESPONSE_MODEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRun(Operation):
    """One execution of a tool.

    Attributes:
        tool: Its name.
        effect: none, read, write or irreversible; None if it is not declared.
        intent: The ref of its intent; None if there is none.
    """

    tool: str = ""
    effect: str | None = None
    intent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval(Operation):
    """One query of an index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement(Operation):
    """One verdict of a judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Entry):
    """The truth about a task, known late, with the task's receipt as attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent(Entry):
    """A tool with effects that is about to run: on disk before the tool began.

    Attributes:
        tool: Its name.
        effect: write or irreversible.
    """

    tool: str = ""
    effect: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap(Entry):
    """Entries that are missing here.

    Attributes:
        reason: queue_full, disk, encoding, key (one that cannot be had), or crashed (an earlier writer that ended
            without closing its segment).
        count: How many entries; None if nobody knows.
        refs: First and last ref among them; None if they are not known.
        detail: For a person.
    """

    reason: str = ""
    count: int | None = None
    refs: tuple[str, str] | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone(Entry):
    """Content that was deleted.

    Attributes:
        actor: Who deleted it.
        reason: Why.
        scope: What was deleted, e.g. `tenant acme`.
        count: How many keys, segments or entries; None if nobody knows.
        deletion: The id of the deletion, which the footers of stripped segments have as well; None of retention.
    """

    actor: str = ""
    reason: str = ""
    scope: str = ""
    count: int | None = None
    deletion: str | None = None


KINDS: Mapping[str, type[Entry]] = {
    "call": Call,
    "tool": ToolRun,
    "retrieval": Retrieval,
    "judgement": Judgement,
    "outcome": Outcome,
    "intent": Intent,
    "gap": Gap,
    "tombstone": Tombstone,
}
KINDS_BY_CLASS: Mapping[type[Entry], str] = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundChunk:
    """One document that a retrieval found.

    Attributes:
        id: Its id; None if it has none, or if hashes alone are kept.
        id_hash: The identity of its id, if hashes alone are kept; else None.
        score: How well it fits; None if the store does not say.
        distance: How far it is from the query; None if the store does not say.
        hash: The identity of its text; None if the text was not told.
    """

    id: str | None = None
    id_hash: str | None = None
    score: float | None = None
    distance: float | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One piece of content of an entry.

    Attributes:
        name: request, response, chunks, stream, headers, arguments, result, query, documents or configuration.
        attempt: Of a request: the number of its attempt, from 0; else None.
        form: wire (the very bytes that went over the network), object (the client's object, written as JSON by us) or
            redacted (either, with secrets taken out); off if it was there and the mode of its class keeps nothing.
        byte_size: How long it is.
        sha256: Of its bytes as they are recorded; None if only a keyed hash is kept.
        hmac: Of its bytes under the project's key, if its hash alone is kept; else None.
        times_ns: Of chunks: when each came, in ns after the call began.
        found: Of documents: each, in the order in which they were found.
    """

    name: str
    attempt: int | None = None
    form: str = WIRE
    byte_size: int = 0
    sha256: str | None = None
    hmac: str | None = None
    times_ns: tuple[int, ...] = ()
    found: tuple[FoundChunk, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk of a stream.

    Attributes:
        time_ns: When it came, in ns after the call began.
        data: Its JSON.
    """

    time_ns: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHead:
    """The facts that a segment has about itself and its writer.

    Attributes:
        path: The file.
        format: Version of the format.
        writer: Id of the writer: one process between two forks.
        number: Of the segment in the order of its writer, from 0.
        service, service_version: Of the resource; None if unknown.
        resource: Further resource attributes.
        started_ns: When it was opened.
        mode: How content was kept.
        first_index: Entries of the writer before this segment.
        frontier: Roots of the full subtrees over those, largest first, as hex.
        verifier_key: The key of its checkpoints, as a C2SP verifier key; None if they are not signed.
    """

    path: Path
    format: int
    writer: str
    number: int
    service: str | None
    service_version: str | None
    resource: Mapping[str, Any]
    started_ns: int
    mode: str
    first_index: int
    frontier: tuple[str, ...]
    verifier_key: str | None
