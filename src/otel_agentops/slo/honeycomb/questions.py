"""The questions of an incident, as queries: what moved, which surface, what it costs, is the proxy right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from otel_agentops.semconv import attributes as A
from otel_agentops.slo.honeycomb._terraform import LONGEST, cut_text
from otel_agentops.slo.indicators import verdict_attribute
from otel_agentops.slo.spec import Slo
from otel_agentops.slo.variables import VARIABLES

DAY = 86_400
TRUTH = (A.TRUTH_SOURCE, A.TRUTH_VERDICT)  # one of them is on each outcome event, and on nothing else


@dataclass(frozen=True)
class Question:
    """A query, in Honeycomb's words.

    Attributes:
        key: The name of the query in the Terraform files.
        filters: Column, operator and, unless the operator is unary, value.
        calculations: Operator and, unless it counts, column.
        has_day_before: Show the day before beside the last one.
    """

    key: str
    name: str
    description: str
    breakdowns: tuple[str, ...]
    filters: tuple[tuple[str, ...], ...]
    calculations: tuple[tuple[str, ...], ...] = (("COUNT",),)
    has_day_before: bool = False


def build_questions(slos: Sequence[Slo]) -> list[Question]:
    """Return the questions in the order in which they are asked."""
    return [*_ask_error_ratios(slos), *_ask_moves(), *_ask_surfaces(), *_ask_costs(), *_ask_trust(slos)]


def _require_column(column: str) -> tuple[str, str]:
    return (column, "exists")


_NO_OUTCOME = tuple((column, "does-not-exist") for column in TRUTH)

# -- is it bad, and since when


def _ask_error_ratios(slos: Sequence[Slo]) -> Iterator[Question]:
    """Yield the mean of 0 and 1 of each indicator; revisions of a judge are groups of their own."""
    for indicator in {slo.indicator.name: slo.indicator for slo in slos}.values():
        bad = verdict_attribute(indicator.name)
        no_outcome = () if indicator.on == "outcome" else _NO_OUTCOME
        by = (A.SERVICE_NAME, *indicator.labels)
        about = cut_text(f"Part of the events that are {indicator.about} ({indicator.type}).", LONGEST)
        key = f"error_{indicator.name}"
        yield Question(
            key,
            f"Error ratio: {indicator.name}",
            about,
            by,
            (_require_column(bad), *no_outcome),
            (("AVG", bad), ("COUNT",)),
        )


# -- what moved


def _ask_moves() -> Iterator[Question]:
    for variable, (_, scope, value) in VARIABLES.items():
        about = f"How often each value was seen: a new line, or one that ends, is a {variable} that moved."
        by = (A.SERVICE_NAME, *scope, value)
        yield Question(
            f"moved_{variable}", f"Which {variable}", about, by, (_require_column(value),), has_day_before=True
        )
    yield Question(
        "changes",
        "Changes as they were told",
        "Events of changes that the application declared or saw for the first time.",
        (A.CHANGE_VARIABLE, A.CHANGE_SCOPE, A.CHANGE_PREVIOUS, A.CHANGE_VALUE, A.CHANGE_SOURCE),
        (_require_column(A.CHANGE_VARIABLE),),
    )
    yield Question(
        "unlisted",
        "Not in the lock file",
        "Values that nobody approved, where the collector has the fragment of a lock file.",
        (A.SERVICE_NAME, A.LOCK_UNLISTED),
        (_require_column(A.LOCK_UNLISTED),),
    )
    yield Question(
        "eval_set",
        "Which eval set, judged by whom",
        "A set or a judge that changed makes scores before and after it two measures.",
        (A.EVAL_SET_NAME, A.EVAL_SET_VERSION, A.JUDGE_NAME, A.JUDGE_REVISION),
        (_require_column(A.EVAL_SET_NAME),),
    )


# -- which surface

_DETAILS = {
    "model": (A.GEN_AI_RESPONSE_MODEL, A.GEN_AI_PROVIDER_NAME),
    "retrieval": (A.INDEX_NAME, A.INDEX_VERSION),
    "tool": (A.GEN_AI_TOOL_NAME, A.TOOL_HASH),
    "judge": (A.JUDGE_NAME, A.JUDGE_REVISION),
}


def _ask_surfaces() -> Iterator[Question]:
    surface, reason = A.INCIDENT_SURFACE, A.INCIDENT_REASON
    yield Question(
        "surface",
        "Which surface fails",
        "Operations that went wrong, by what is at fault and why, as far as one span can say.",
        (A.SERVICE_NAME, surface, reason),
        (_require_column(surface),),
    )
    for name, details in _DETAILS.items():
        about = f"What the collector tagged with the surface {name}, and where."
        yield Question(f"surface_{name}", f"Surface: {name}", about, (*details, reason), ((surface, "=", name),))
    yield Question(
        "surface_prompt",
        "Surface: prompt",
        "No span can say that a prompt is at fault: what its answers look like can. Compare the groups.",
        (A.TASK_NAME, A.PROMPT_HASH),
        (_require_column(A.PROMPT_HASH),),
        (("P50", A.GEN_AI_USAGE_OUTPUT_TOKENS), ("P95", A.GEN_AI_USAGE_OUTPUT_TOKENS), ("COUNT",)),
    )


# -- what it costs


def _ask_costs() -> Iterator[Question]:
    by = (A.SERVICE_NAME, A.TASK_NAME, A.TASK_OUTCOME)
    yield Question(
        "cost",
        "Cost of a task",
        "USD, all calls and retries of a task together; tasks with a price that is not known are not in it.",
        by,
        (_require_column(A.TASK_COST), *_NO_OUTCOME),
        (("SUM", A.TASK_COST), ("P50", A.TASK_COST), ("P95", A.TASK_COST), ("COUNT",)),
    )
    yield Question(
        "tokens",
        "Tokens of a task",
        "Tokens in and out, all calls and retries of a task together.",
        by,
        (_require_column(A.TASK_OUTCOME), *_NO_OUTCOME),
        (("SUM", A.TASK_INPUT_TOKENS), ("SUM", A.TASK_OUTPUT_TOKENS), ("COUNT",)),
    )
    yield Question(
        "attempts",
        "Attempts of a model call",
        "Requests for each call: above 1 somebody pays and waits for retries.",
        (A.SERVICE_NAME, A.GEN_AI_PROVIDER_NAME, A.GEN_AI_REQUEST_MODEL),
        (_require_column(A.ATTEMPT_COUNT), _require_column(A.GEN_AI_REQUEST_MODEL)),
        (("AVG", A.ATTEMPT_COUNT), ("MAX", A.ATTEMPT_COUNT), ("COUNT",)),
    )


# -- is the proxy right


def _ask_trust(slos: Sequence[Slo]) -> Iterator[Question]:
    """Yield the questions about random labels: what was escalated was chosen because it looked bad."""
    random = (A.TRUTH_SAMPLING, "=", "random")
    for indicator in {slo.indicator.name: slo.indicator for slo in slos}.values():
        if indicator.type != "proxy" or indicator.on != "task":
            continue
        bad = verdict_attribute(indicator.name)
        yield Question(
            f"truth_{indicator.name}",
            f"Proxy beside truth: {indicator.name}",
            "Late labels of randomly chosen tasks by the verdict of the proxy (1 is bad) and the truth.",
            (A.SERVICE_NAME, bad, A.TRUTH_VERDICT),
            (_require_column(A.TRUTH_VERDICT), _require_column(bad), random),
        )
    yield Question(
        "truth_delay",
        "How late the truth is",
        "Seconds from the end of a task to its label.",
        (A.SERVICE_NAME, A.TRUTH_SOURCE),
        (_require_column(A.TRUTH_DELAY),),
        (("P50", A.TRUTH_DELAY), ("P95", A.TRUTH_DELAY), ("COUNT",)),
    )
