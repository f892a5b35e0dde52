"""LangSmith: each run of an evaluator on one run of the application is one judgement.

`evaluate` and `aevaluate` make an evaluator of each function that they are given. Patched are the methods by which they
run it, of every class of evaluators, and those of comparisons:
https://github.com/langchain-ai/langsmith-sdk/blob/main/python/langsmith/evaluation/evaluator.py
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call
from otel_agentops.judges._judgements import (
    LibraryJudgement,
    begin_judgement,
    describe_value,
    patch_subclasses,
    read_settings,
    split_settings,
)

_MODULE = "langsmith.evaluation.evaluator"


def find_name(evaluator: Any) -> str:
    """Return the name of an evaluator's function, else its own, else that of its class."""
    name = getattr(evaluator, "_name", None) or getattr(evaluator, "evaluation_name", None)
    return name if isinstance(name, str) else type(evaluator).__name__


def find_function(evaluator: Any) -> Any:
    """Return the function that an evaluator was made of; None if it is an object of a class of evaluators."""
    function: Any = getattr(evaluator, "__wrapped__", None)
    if getattr(function, "__module__", None) != _MODULE:
        return function
    # A function that is not given the run but parts of it is inside one of the library's.
    return inspect.getclosurevars(function).nonlocals.get("func", function)


def describe_evaluator(evaluator: Any) -> tuple[object, dict[str, object]]:
    """Return what is known of an evaluator before it judges, and its parameters.

    It is code of the application, so its prompt is known by what it sends.
    """
    if (function := find_function(evaluator)) is not None:
        return {"function": describe_value(function)}, {}
    described = describe_value(evaluator, _list_names)
    return split_settings(described if isinstance(described, Mapping) else {"class": described})


def _list_names(value: object) -> Iterable[str] | None:
    """Return the names of the settings of an evaluator; None for what is inside one."""
    return read_settings(value) if hasattr(value, "evaluate_run") else None


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> LibraryJudgement | None:
    def make() -> LibraryJudgement:
        prompt, params = describe_evaluator(args[0])
        return LibraryJudgement(library, find_name(args[0]), prompt=prompt, params=params, is_application_code=True)

    return begin_judgement(library, make)


def _begin_async(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> LibraryJudgement | None:
    """Begin a judgement, unless the library calls the evaluator's other method, in a thread without our context."""
    is_sync = find_function(args[0]) is not None and not hasattr(args[0], "afunc")
    return None if is_sync else _begin(library, args, kwargs)


def _record_results(block: LibraryJudgement, result: object, args: Arguments, kwargs: Keywords) -> None:
    """Record a result, or each of several; an evaluator without any does not apply to the run."""
    results = result["results"] if isinstance(result, Mapping) and "results" in result else [result]
    if not results:
        block.skip()
    for each in results:
        score, label, key = (_read_field(each, name) for name in ("score", "value", "key"))
        block.record(score, label, name=key if isinstance(key, str) else None)


def _read_field(result: object, name: str) -> object:
    return result.get(name) if isinstance(result, Mapping) else getattr(result, name, None)


def _record_comparison(block: LibraryJudgement, result: object, args: Arguments, kwargs: Keywords) -> None:
    """Record nothing: a ranking of runs is no verdict on one of them."""
    block.skip()


_RUN = {
    "evaluate_run": wrap_call(Around(_begin, _record_results)),
    "aevaluate_run": wrap_call(Around(_begin_async, _record_results), is_async=True),
}
_COMPARE = Around(_begin, _record_comparison)
_COMPARATOR = (_MODULE, "DynamicComparisonRunEvaluator")
LIBRARY = PatchedLibrary(
    "langsmith",
    ">=0.3.45,<1",
    (
        patch_subclasses(_MODULE, "RunEvaluator", _RUN),
        Target(*_COMPARATOR, "compare_runs", wrap_call(_COMPARE), ("runs",)),
        Target(*_COMPARATOR, "acompare_runs", wrap_call(_COMPARE, is_async=True), ("runs",)),
    ),
    ClientInfo(
        operations=("evaluate (every evaluator of `evaluate` and `aevaluate`)",),
        unknown=("a comparison of runs: it is neither a score nor a label",),
        not_covered=("evaluators that run on LangSmith's server", "summary evaluators, which judge a whole experiment"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_langsmith`."""

    libraries = (LIBRARY,)


LangsmithInstrumentor = Instrumentor  # the name that others give theirs
