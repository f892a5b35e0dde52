"""The tags of an incident: set from facts on the span, and absent where the facts do not say."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import overlay_stored
import pytest
from overlay_signals import Attributes, Event, Sender, Span

import stack
from otel_agentops.semconv import attributes as A

pytestmark = pytest.mark.collector


class Case(NamedTuple):
    """A span, or an event, and its tags: surface, reason, verdict."""

    attributes: Attributes
    surface: str | None = None
    reason: str | None = None
    bad: int | None = None
    error: bool = False


def op(operation: str, **more: str | int) -> dict[str, str | int]:
    return {A.GEN_AI_OPERATION_NAME: operation, **{key.replace("__", "."): value for key, value in more.items()}}


def failing(operation: str, kind: str | int, surface: str | None, reason: str | None, bad: int | None = None) -> Case:
    return Case(op(operation, error__type=kind), surface, reason, bad, True)


DOCUMENTS = A.RETRIEVAL_DOCUMENT_COUNT

SPANS = [
    # the provider: statuses and the exceptions of several clients
    failing("chat", "429", "model", "rate_limited"),
    failing("chat", 429, "model", "rate_limited"),
    failing("chat", "RateLimitError", "model", "rate_limited"),
    failing("generate_content", "ResourceExhausted", "model", "rate_limited"),
    failing("chat", "ThrottlingException", "model", "rate_limited"),
    failing("chat", "500", "model", "server_error"),
    failing("chat", "InternalServerError", "model", "server_error"),
    failing("chat", "OverloadedError", "model", "server_error"),
    failing("chat", "ServiceUnavailableError", "model", "server_error"),
    failing("embeddings", "504", "model", "timeout"),
    failing("chat", "APITimeoutError", "model", "timeout"),
    failing("text_completion", "DeadlineExceeded", "model", "timeout"),
    failing("chat", "httpx.ConnectTimeout", "model", "timeout"),
    # below the application
    failing("chat", "APIConnectionError", "infra", "unreachable"),
    failing("chat", "401", "infra", "unauthorized"),
    failing("chat", "AuthenticationError", "infra", "unauthorized"),
    failing("chat", "PermissionDeniedError", "infra", "unauthorized"),
    # anybody's fault
    failing("chat", "400", None, None),
    failing("chat", "BadRequestError", None, None),
    failing("chat", "NotFoundError", None, None),
    failing("chat", "CancelledError", None, None),
    failing("chat", "_OTHER", None, None),
    Case(op("chat"), error=True),
    Case(op("chat")),
    # a judge's own model call is no incident of the feature's model
    Case({**op("chat", error__type="429"), A.JUDGE_NAME: "helpful"}, "judge", "rate_limited", error=True),
    Case({**op("chat", error__type="APIConnectionError"), A.JUDGE_NAME: "helpful"}, "infra", "unreachable", error=True),
    # tools
    failing("execute_tool", "ValueError", "tool", "error", 1),
    failing("execute_tool", "TimeoutError", "tool", "timeout", 1),
    failing("execute_tool", "CancelledError", "tool", "cancelled", 1),
    Case(op("execute_tool"), "tool", "error", 1, error=True),
    Case(op("execute_tool", error__type="ValueError"), "tool", "error", 1),
    Case(op("execute_tool"), bad=0),
    # retrieval
    failing("retrieval", "ConnectionError", "retrieval", "unreachable"),
    failing("retrieval", "ValueError", "retrieval", "error"),
    Case({**op("retrieval"), DOCUMENTS: 0}, "retrieval", "no_documents"),
    Case({**op("retrieval", error__type="TimeoutError"), DOCUMENTS: 0}, "retrieval", "timeout", error=True),
    Case({**op("retrieval"), DOCUMENTS: 3}),
    Case(op("retrieval")),
    # a task says that it failed, not why
    Case({**op("invoke_workflow"), A.TASK_OUTCOME: "completed"}, bad=0),
    Case({**op("invoke_workflow", error__type="RateLimitError"), A.TASK_OUTCOME: "failed"}, bad=1, error=True),
    Case({**op("invoke_workflow"), A.TASK_OUTCOME: "escalated"}, bad=1),
    Case({**op("invoke_workflow"), A.TASK_OUTCOME: "abandoned"}, bad=1),
    Case({**op("invoke_workflow"), A.TASK_OUTCOME: "cancelled"}),
    Case({**op("invoke_workflow"), A.TASK_OUTCOME: "exploded"}),
    failing("invoke_agent", "RateLimitError", None, None),
    # not ours
    Case({"http.response.status_code": 500, "error.type": "500"}, error=True),
]
MODEL_OPERATIONS = {"chat", "text_completion", "generate_content", "embeddings"}
SCORE, THRESHOLD = A.GEN_AI_EVALUATION_SCORE_VALUE, A.JUDGE_THRESHOLD
EVENTS = [
    Case({SCORE: 0.4, THRESHOLD: 0.5}, bad=1),
    Case({SCORE: 0.5, THRESHOLD: 0.5}, bad=0),
    Case({SCORE: 0, THRESHOLD: 0.5}, bad=1),
    Case({SCORE: 4, THRESHOLD: 3}, bad=0),
    Case({SCORE: 0.0, THRESHOLD: 0.0}, bad=0),
    Case({SCORE: 0.4}),
    Case({THRESHOLD: 0.5}),
    Case({SCORE: "0.4", THRESHOLD: 0.5}),
    Case({SCORE: 0.4, THRESHOLD: "high"}),
    Case({SCORE: float("nan"), THRESHOLD: 0.5}),
    Case({THRESHOLD: 0.5, A.ERROR_TYPE: "TimeoutError"}, "judge", "error"),
]


@pytest.fixture(scope="module")
def stored_cases(otelcol: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every case, sent in one request, as the user's pipeline stored it with the tagging of README.md."""
    directory = tmp_path_factory.mktemp("stored")
    configs = [Path(__file__).parent / "configs" / "stored.yaml", stack.OVERLAY]
    tagging = stack.ROOT / "collector-config" / "examples" / "tagging.yaml"
    with stack.collector([*configs, tagging], directory, {"STORED": str(directory)}) as running:
        sender = Sender(running.otlp)
        sender.spans("svc", *(Span(str(n), case.attributes, case.error) for n, case in enumerate(SPANS)))
        sender.events("svc", *(Event(case.attributes) for case in EVENTS))
        overlay_stored.spans(directory, len(SPANS))
        overlay_stored.logs(directory, len(EVENTS))
    return directory


def new_tags(case: Case, record: overlay_stored.Stored) -> dict[str, object]:
    """Return what the collector added; what was sent must be there as it was."""
    sent = {key: value for key, value in case.attributes.items() if value == value}  # NaN is not
    assert {key: record.attributes[key] for key in sent} == sent
    return {key: value for key, value in record.attributes.items() if key not in case.attributes}


def expected_tags(case: Case, verdict: str) -> dict[str, object]:
    tags = {A.INCIDENT_SURFACE: case.surface, A.INCIDENT_REASON: case.reason, verdict: case.bad}
    return {key: value for key, value in tags.items() if value is not None}


@pytest.mark.parametrize("n", range(len(SPANS)), ids=lambda n: f"{n}-{list(SPANS[n].attributes.values())}")
def test_a_stored_span_has_its_tags(stored_cases: Path, n: int) -> None:
    record = next(span for span in overlay_stored.spans(stored_cases, len(SPANS)) if span.name == str(n))
    case = SPANS[n]
    task = A.TASK_OUTCOME in case.attributes
    expected = expected_tags(case, A.SLI_TASK_COMPLETED_BAD if task else A.SLI_TOOL_SUCCESS_BAD)
    is_left_out = case.attributes.get(A.ERROR_TYPE) == "CancelledError" or A.JUDGE_NAME in case.attributes
    if case.attributes.get(A.GEN_AI_OPERATION_NAME) in MODEL_OPERATIONS and not is_left_out:
        expected[A.SLI_CALL_SUCCESS_BAD] = int(case.error)
    assert new_tags(case, record) == expected


@pytest.mark.parametrize("n", range(len(EVENTS)), ids=lambda n: f"{n}-{list(EVENTS[n].attributes.values())}")
def test_a_stored_evaluation_has_its_verdict(stored_cases: Path, n: int) -> None:
    record = overlay_stored.logs(stored_cases, len(EVENTS))[n]
    assert new_tags(EVENTS[n], record) == expected_tags(EVENTS[n], A.SLI_JUDGE_SCORE_BAD)


def test_surfaces_are_registered() -> None:
    surfaces = {case.surface for case in [*SPANS, *EVENTS]} - {None}
    assert surfaces <= set(A.INCIDENT_SURFACE_VALUES)
    assert set(A.INCIDENT_SURFACE_VALUES) - surfaces == {"prompt", "traffic"}, "no span can say these"
