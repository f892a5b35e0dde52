"""The pure functions that read the calls of one operation of one client: bodies to records, with no OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeAlias

from typing_extensions import NamedTuple, TypeVar

from otel_agentops.operations import NO_ANSWER, Answer, LibraryOperation, LibraryResult

F = TypeVar("F", default=Any)  # the facts beside a request's body: where it goes, what is in headers
FoldState = dict[str, Any]
Content: TypeAlias = dict[str, Any]  # content attributes of the convention, by name, as JSON


def _refuse_chunk(state: FoldState, chunk: Any) -> bool:
    raise TypeError("this operation does not stream")


def _finish_nothing(state: FoldState) -> Answer:
    return NO_ANSWER


def _read_nothing(whole: Any) -> Content:
    return {}


class ContentReader(NamedTuple):
    """The pure functions that read what was said in one operation; called only if content is to be recorded.

    Attributes:
        request: Wire body to what was sent.
        response: What the endpoint's `response` reads to what came back.
        chunks: All chunks of a stream to what came back.
    """

    request: Callable[[Any], Content]
    response: Callable[[Any], Content] = _read_nothing
    chunks: Callable[[Sequence[Any]], Content] = _read_nothing


class Endpoint(NamedTuple, Generic[F]):
    """The pure functions of one operation of one client.

    Attributes:
        request: Wire body and the client's facts to an operation.
        response: The client's result object, or the decoded JSON body, to a result.
        fold: Add one chunk to the state; return True on the last one. An operation that never streams needs none.
        finish_fold: The state to a result.
        status: The HTTP status that an exception of the client is about; None if it says so itself.
        error_type: `error.type` of an exception whose class does not say what failed; None if the class does.
        reports_attempts: False if the client's transport repeats requests by itself: then nothing is known of attempts.
        metric_labels: Attributes of the answer that the convention adds to the client metrics of this provider.
        content: The functions that read what was said; None if the convention has no place for it.
    """

    request: Callable[[Mapping[str, Any], F], LibraryOperation]
    response: Callable[[Any], LibraryResult]
    fold: Callable[[FoldState, Any], bool] = _refuse_chunk
    finish_fold: Callable[[FoldState], LibraryResult] = _finish_nothing
    status: Callable[[BaseException], int | None] | None = None
    error_type: Callable[[BaseException], str | None] | None = None
    reports_attempts: bool = True
    metric_labels: tuple[str, ...] = ()
    content: ContentReader | None = None
