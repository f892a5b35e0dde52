"""Ragas: each score of a metric is one judgement, with everything that the metric asks for it.

The newer metrics have a `score` and an `ascore` in each class, the older ones have those of their base class:
https://github.com/vibrantlabsai/ragas/blob/main/src/ragas/metrics/base.py
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from typing import Any

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call
from otel_agentops.judges._judgements import (
    LibraryJudgement,
    begin_judgement,
    describe_value,
    patch_subclasses,
    split_settings,
)

# What of a prompt of the library, an embedding model and a range says how they judge.
_DESCRIBING = ("instruction", "examples", "language", "response_model", "model", "start", "stop")


def find_model(llm: Any) -> str | None:
    """Return the model asked for, which a wrapper of another library's model may hold; None if nobody tells it."""
    inner = getattr(llm, "langchain_llm", None) or getattr(llm, "llm", None) or llm
    name = getattr(inner, "model_name", None) or getattr(inner, "model", None)
    return name if isinstance(name, str) else None


def describe_metric(metric: Any, llm: Any) -> tuple[dict[str, object], dict[str, object]]:
    """Return everything that the prompts of a metric are made from, beside the judged case, and its parameters.

    Most of the prompts are the library's own, so another version of it is another prompt.
    """
    names = [name for name in vars(metric) if name not in ("llm", "name") and not name.startswith("_")]
    settings = {name: value for name in names if (value := getattr(metric, name)) is not None}
    settings.update(function=getattr(metric, "_func", None), system_prompt=getattr(llm, "system_prompt", None))
    described = {name: describe_value(value, _list_names) for name, value in settings.items() if value is not None}
    texts, params = split_settings(described)
    for name, value in getattr(llm, "model_args", {}).items():
        params[name] = describe_value(value)
    kind = type(metric)
    version = importlib.metadata.version(LIBRARY.distribution)
    return {"metric": f"{kind.__module__}.{kind.__qualname__}", "version": version, **texts}, params


def _list_names(value: object) -> Iterable[str] | None:
    names = [name for name in _DESCRIBING if hasattr(value, name)]
    return names or None


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> LibraryJudgement | None:
    def make() -> LibraryJudgement:
        metric = args[0]
        llm = kwargs.get("llm") or getattr(metric, "llm", None)
        prompt, params = describe_metric(metric, llm)
        return LibraryJudgement(library, metric.name, model=find_model(llm), prompt=prompt, params=params)

    return begin_judgement(library, make)


def _record_score(block: LibraryJudgement, result: object, args: Arguments, kwargs: Keywords) -> None:
    """Record the number or the text of a result; a ranking is a list, and neither."""
    value = getattr(result, "value", result)
    if isinstance(value, list):
        block.skip()
    else:
        block.record(value, value)


_SCORE = Around(_begin, _record_score)
_CALL, _COROUTINE = wrap_call(_SCORE), wrap_call(_SCORE, is_async=True)
_BASES = "ragas.metrics.base"
LIBRARY = PatchedLibrary(
    "ragas",
    ">=0.4,<0.5",
    (
        patch_subclasses(_BASES, "SimpleBaseMetric", {"score": _CALL, "ascore": _COROUTINE}),
        Target(_BASES, "SingleTurnMetric", "single_turn_score", _CALL, ("sample",)),
        Target(_BASES, "SingleTurnMetric", "single_turn_ascore", _COROUTINE, ("sample",)),
        Target(_BASES, "MultiTurnMetric", "multi_turn_score", _CALL, ("sample",)),
        Target(_BASES, "MultiTurnMetric", "multi_turn_ascore", _COROUTINE, ("sample",)),
    ),
    ClientInfo(
        operations=("evaluate (`score` and `ascore` of every metric, `evaluate` and experiments)",),
        unknown=("a ranking: it is neither a score nor a label",),
        not_covered=("a direct call of a function that was made a metric, past `score`",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_ragas`."""

    libraries = (LIBRARY,)


RagasInstrumentor = Instrumentor  # the name that others give theirs
