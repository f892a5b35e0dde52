"""DeepEval: each measurement of a metric is one judgement.

Every class of a metric has a `measure` and an `a_measure` of its own, which all runners of the library call. Each is
patched when its class is made, the application's own included:
https://github.com/confident-ai/deepeval/blob/main/deepeval/metrics/base_metric.py
"""

from __future__ import annotations

import copy
import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, cast

from otel_agentops import _patching
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, PatchedLibrary
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.judges._judgements import (
    LibraryJudgement,
    begin_judgement,
    describe_value,
    patch_subclasses,
    read_settings,
    split_settings,
)

_MAX_GENERATED = 256  # lists of steps that are remembered before it starts over
_BASES = "deepeval.metrics.base_metric"
# The model and the threshold are told apart, the name is that of the judge, and the rest shapes no verdict.
_SKIPPED = frozenset([
    "async_mode", "evaluation_steps", "flaky", "model", "name", "system_one_model", "threshold", "verbose_mode",
])  # fmt: skip


class Metric(Protocol):
    """A metric, as far as it is read."""

    evaluation_steps: list[str] | None
    evaluation_model: str | None
    threshold: float | None
    score: float | None
    error: str | None
    success: bool | None

    def is_successful(self) -> bool | None:
        """Return True if the score is on the good side of the threshold."""


class GeneratedSteps:
    """The evaluation steps that a judge model wrote by itself, which differ from run to run.

    A metric without steps has its model write some before the first measurement, and keeps them as if the application
    had given them; a copy of the metric has them as well. They are no part of the judge's identity.
    """

    def __init__(self) -> None:
        self._known: set[tuple[str, ...]] = set()

    def find_declared(self, metric: Metric) -> list[str] | None:
        """Return the steps that the application gave; None if it gave none."""
        steps = getattr(metric, "evaluation_steps", None)
        return None if not steps or tuple(steps) in self._known else list(steps)

    def remember(self, steps: Sequence[str]) -> None:
        """Remember steps that a model wrote."""
        if len(self._known) >= _MAX_GENERATED:
            self._known.clear()
        self._known.add(tuple(steps))


GENERATED = GeneratedSteps()


def find_name(metric: Metric) -> str:
    """Return the name that the application or the class gives the metric, else that of its class."""
    name = getattr(metric, "name", None)
    if isinstance(name, str) and name:
        return name
    owner = next((each for each in type(metric).__mro__ if "__name__" in vars(each)), None)
    is_named = owner is not None and owner.__module__ != _BASES
    # The classes have a property of this name, which only their objects show.
    return str(getattr(metric, "__name__")) if is_named else type(metric).__name__  # noqa: B009


@guard
def is_low_good(metric: Metric) -> bool:
    """Return True if a score below the threshold is the good one, as some metrics of version 4.0 have it."""
    trial = copy.copy(metric)
    trial.score, trial.threshold, trial.success, trial.error = 0.0, 0.5, None, None
    return trial.is_successful() is True


def describe_metric(metric: Metric) -> tuple[dict[str, object], dict[str, object]]:
    """Return everything that the prompts of a metric are made from, beside the judged case, and its parameters.

    The templates are the library's own, so another version of it is another prompt.
    """
    described = {name: describe_value(value, _list_names) for name, value in read_settings(metric, _SKIPPED).items()}
    texts, params = split_settings(described)
    kind = type(metric)
    steps = GENERATED.find_declared(metric)
    return {
        "metric": f"{kind.__module__}.{kind.__qualname__}",
        "version": importlib.metadata.version(LIBRARY.distribution),
        **({"evaluation_steps": steps} if steps else {}),
        **texts,
    }, params


def _list_names(value: object) -> Iterable[str] | None:
    """Return the settings of a part of a metric that is a graph: of a node, or of a metric in it."""
    is_part = hasattr(value, "measure") or type(value).__module__.startswith("deepeval.metrics.")
    return read_settings(value) if is_part else None


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> LibraryJudgement | None:
    """Begin a judgement, unless it is a part of another: `measure` calls `a_measure` in a loop of its own."""

    def make() -> LibraryJudgement:
        metric = cast("Metric", args[0])
        prompt, params = describe_metric(metric)
        threshold = getattr(metric, "threshold", None)
        if threshold is not None and is_low_good(metric):
            threshold, params = None, {**params, "highest_good_score": threshold}
        return LibraryJudgement(
            library,
            find_name(metric),
            model=getattr(metric, "evaluation_model", None),
            prompt=prompt,
            threshold=threshold,
            params=params,
        )

    return begin_judgement(library, make)


def _record_score(block: LibraryJudgement, result: object, args: Arguments, kwargs: Keywords) -> None:
    # From the result and not from the metric, which another measurement may have written to meanwhile. A metric of the
    # application may return nothing.
    block.record(args[0].score if result is None else result, result)


def _find_metric_without_steps(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> Metric | None:
    metric = cast("Metric", args[0])
    return None if metric.evaluation_steps else metric


def _remember_steps(metric: Metric, steps: Sequence[str], args: Arguments, kwargs: Keywords) -> None:
    GENERATED.remember(steps)


_MEASURE = Around(_begin, _record_score)
_GENERATE = Around(_find_metric_without_steps, _remember_steps)
_METHODS: Mapping[str, _patching.Wrap] = {
    "measure": wrap_call(_MEASURE),
    "a_measure": wrap_call(_MEASURE, is_async=True),
    "_generate_evaluation_steps": wrap_step(_GENERATE),
    "_a_generate_evaluation_steps": wrap_step(_GENERATE, is_async=True),
}


LIBRARY = PatchedLibrary(
    "deepeval",
    ">=4.0,<5",
    tuple(
        patch_subclasses(_BASES, base, _METHODS)
        for base in ("BaseMetric", "BaseConversationalMetric", "BaseArenaMetric")
    ),
    ClientInfo(
        operations=("evaluate (`measure` and `a_measure` of every metric)",),
        not_covered=("`evaluate` of cases that are judged on Confident AI's server",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_deepeval`."""

    libraries = (LIBRARY,)


DeepEvalInstrumentor = Instrumentor  # the name that others give theirs
