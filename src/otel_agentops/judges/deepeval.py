"""DeepEval: each measurement of a `GEval` metric is one judgement.

Patched are its two public methods, which all runners of the library (`evaluate`, `assert_test`, `compare`) call:
https://github.com/confident-ai/deepeval/blob/main/deepeval/metrics/g_eval/g_eval.py
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Protocol

from typing_extensions import override

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._telemetry import Telemetry
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.helpers._judge import judge

_MAX_GENERATED = 256  # lists of steps that are remembered before it starts over


class Rubric(Protocol):
    """A range of scores and what it stands for."""

    score_range: Sequence[int]
    expected_outcome: str


class GEval(Protocol):
    """The metric, as far as it is read."""

    name: str
    criteria: str | None
    evaluation_steps: list[str] | None
    evaluation_params: Sequence[object] | None
    rubric: Sequence[Rubric] | None
    evaluation_model: str | None
    evaluation_template: type
    threshold: float | None
    strict_mode: bool
    top_logprobs: int


class GeneratedSteps:
    """The evaluation steps that a judge model wrote by itself, which differ from run to run.

    A metric without steps has its model write some before the first measurement, and keeps them as if the application
    had given them; a copy of the metric has them as well. They are no part of the judge's identity.
    """

    def __init__(self) -> None:
        self._known: set[tuple[str, ...]] = set()

    def find_declared(self, metric: GEval) -> list[str] | None:
        """Return the steps that the application gave; None if it gave none."""
        steps = metric.evaluation_steps
        return None if not steps or tuple(steps) in self._known else list(steps)

    def remember(self, steps: Sequence[str]) -> None:
        """Remember steps that a model wrote."""
        if len(self._known) >= _MAX_GENERATED:
            self._known.clear()
        self._known.add(tuple(steps))


GENERATED = GeneratedSteps()
_MEASURED: ContextVar[GEval | None] = ContextVar("measured_metric", default=None)


def describe_prompt(metric: GEval) -> str:
    """Return everything that the prompt of a metric is made from, beside the case that is judged.

    The template is the library's own, so another version of it is another prompt.
    """
    rubric = [[list(one.score_range), one.expected_outcome] for one in metric.rubric or ()]
    template = f"{metric.evaluation_template.__module__}.{metric.evaluation_template.__qualname__}"
    return json.dumps(
        {
            "criteria": metric.criteria,
            "evaluation_steps": GENERATED.find_declared(metric),
            "evaluation_params": [str(getattr(one, "value", one)) for one in metric.evaluation_params or ()],
            "rubric": rubric,
            "template": [template, importlib.metadata.version(LIBRARY.distribution)],
        },
        ensure_ascii=False,
    )


class GEvalJudge(judge):
    """One measurement of a metric."""

    def __init__(self, metric: GEval, library: PatchedLibrary) -> None:
        super().__init__(
            metric.name,
            model=metric.evaluation_model,
            prompt=describe_prompt(metric),
            threshold=metric.threshold,
            params={"strict_mode": metric.strict_mode, "top_logprobs": metric.top_logprobs},
        )
        self._metric = metric
        self._library = library

    @override
    def enter_block(self, stack: ExitStack) -> None:
        super().enter_block(stack)
        stack.callback(_MEASURED.reset, _MEASURED.set(self._metric))

    @override
    def _find_telemetry(self) -> Telemetry:
        return self._library.telemetry or super()._find_telemetry()


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> GEvalJudge | None:
    """Begin a judgement, unless it is the same one: `measure` calls `a_measure` in a loop of its own."""
    metric: GEval = args[0]
    return GEvalJudge(metric, library) if library.active and _MEASURED.get() is not metric else None


def _record_score(block: GEvalJudge, result: float, args: Arguments, kwargs: Keywords) -> None:
    # From the result and not from the metric, which another measurement may have written to meanwhile.
    block.score(result)


def _find_metric_without_steps(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> GEval | None:
    metric: GEval = args[0]
    return None if metric.evaluation_steps else metric


def _remember_steps(metric: GEval, steps: Sequence[str], args: Arguments, kwargs: Keywords) -> None:
    GENERATED.remember(steps)


_MEASURE = Around(_begin, _record_score)
_GENERATE = Around(_find_metric_without_steps, _remember_steps)
METRIC = ("deepeval.metrics.g_eval.g_eval", "GEval")
LIBRARY = PatchedLibrary(
    "deepeval",
    ">=4.0,<5",
    (
        Target(*METRIC, "measure", wrap_call(_MEASURE), ("test_case",)),
        Target(*METRIC, "a_measure", wrap_call(_MEASURE, is_async=True), ("test_case",)),
        Target(*METRIC, "_generate_evaluation_steps", wrap_step(_GENERATE)),
        Target(*METRIC, "_a_generate_evaluation_steps", wrap_step(_GENERATE, is_async=True)),
    ),
    ClientInfo(
        operations=("evaluate (`GEval.measure` and `GEval.a_measure`)",),
        not_covered=("the other metrics: each has a `measure` of its own",),
        one_line=("the other metrics: `with judge('relevance'):` around them",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_deepeval`."""

    libraries = (LIBRARY,)


DeepEvalInstrumentor = Instrumentor  # the name that others give theirs
