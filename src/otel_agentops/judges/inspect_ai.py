"""Inspect: each score of a sample by a scorer is one judgement, with all its graders.

A task, and the scoring of a log, get their scorers from one function. A scorer is a function of its own, so it is
wrapped there:
https://github.com/UKGovernmentBEIS/inspect_ai/blob/main/src/inspect_ai/_eval/task/task.py
"""

from __future__ import annotations

import functools
import importlib.metadata
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.judges._judgements import LibraryJudgement, begin_judgement, describe_value, split_settings

# The scorers that are wrapped: a task may be made from another one's.
_OBSERVED: weakref.WeakSet[Callable[..., Any]] = weakref.WeakSet()
_FAILURES = frozenset(
    ["grader_failed", "scoring_failed"]
)  # reasons of the judge; others are those of the evaluated model


def describe_scorer(scorer: Any) -> tuple[dict[str, object], dict[str, object]]:
    """Return everything that the prompt of a scorer is made from, beside the judged sample, and its parameters.

    What the application leaves out is the library's own, so another version of it is another prompt.
    """
    arguments = {**getattr(scorer, "__registry_params__", {})}
    if isinstance(arguments.get("model"), str):
        del arguments["model"]
    described = {name: describe_value(value) for name, value in arguments.items() if value is not None}
    texts, params = split_settings(described)
    version = importlib.metadata.version(LIBRARY.distribution)
    return {"scorer": scorer.__registry_info__.name, "version": version, **texts}, params


def _observe_scorer(library: PatchedLibrary, scorer: Any) -> Any:
    """Return a scorer whose calls are judgements; it says the same of itself as the one inside."""
    if scorer in _OBSERVED:
        return scorer

    def begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> LibraryJudgement | None:
        def make() -> LibraryJudgement:
            prompt, params = describe_scorer(scorer)
            name = scorer.__registry_info__.name.rpartition("/")[2]
            model = getattr(scorer, "__registry_params__", {}).get("model")
            model = model if isinstance(model, str) else None
            return LibraryJudgement(library, name, model=model, prompt=prompt, params=params)

        return begin_judgement(library, make)

    wrap = wrap_call(Around(begin, _record_score), is_async=True)
    observed = functools.wraps(scorer)(wrap(scorer, library))
    _OBSERVED.add(observed)
    return observed


def _record_score(block: LibraryJudgement, score: Any, args: Arguments, kwargs: Keywords) -> None:
    """Record a value, or each of several by name; a scorer that returns nothing does not apply to the sample."""
    value = None if score is None else score.value
    if isinstance(value, Mapping):
        for name, each in value.items():
            block.record(each, each, name=name)
    elif value is None or isinstance(value, (list, tuple)):
        block.skip()
    elif getattr(score, "reason", None) in _FAILURES:
        block.fail(score.reason)
    else:
        block.record(value, value)


def _find_library(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> PatchedLibrary | None:
    return library if library.active else None


def _observe_scorers(
    library: PatchedLibrary, scorers: Sequence[Any] | None, args: Arguments, kwargs: Keywords
) -> list[Any] | None:
    return None if scorers is None else [_observe_scorer(library, each) for each in scorers]


_RESOLVE = wrap_step(Around(_find_library, _observe_scorers))
LIBRARY = PatchedLibrary(
    "inspect-ai",
    ">=0.3.240,<0.4",
    (
        Target("inspect_ai._eval.task.task", "", "resolve_scorer", _RESOLVE, ("scorer",)),
        Target("inspect_ai._eval.score", "", "resolve_scorer", _RESOLVE, ("scorer",)),  # imported by its name
    ),
    ClientInfo(
        operations=("evaluate (every scorer of a task, in `eval` and `score`)",),
        unknown=("the text of a template that is given as a file",),
        not_covered=("a scorer that is called without a task",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_inspect_ai`."""

    libraries = (LIBRARY,)


InspectInstrumentor = Instrumentor  # the name that others give theirs
