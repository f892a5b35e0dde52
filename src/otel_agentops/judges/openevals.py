"""OpenEvals: each call of an evaluator is one judgement.

An evaluator is a function that the library makes, and that calls the runner of all evaluators with its scorer. What the
application said of the judge is in the scorer's closure:
https://github.com/langchain-ai/openevals/blob/main/python/openevals/utils.py
https://github.com/langchain-ai/openevals/blob/main/python/openevals/llm.py
"""

from __future__ import annotations

import importlib.metadata
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call
from otel_agentops.judges._judgements import LibraryJudgement, begin_judgement, describe_value, split_settings

_OF_THE_CASE = frozenset(["inputs", "outputs", "reference_outputs"])


def describe_scorer(scorer: Callable[..., object]) -> tuple[dict[str, object], dict[str, object], str | None]:
    """Return everything that the prompt of a scorer is made from, its parameters, and the model asked for.

    The instructions around a template are the library's own, so another version of it is another prompt.
    """
    settings = {name: value for name, value in inspect.getclosurevars(scorer).nonlocals.items() if value is not None}
    judge = settings.pop("judge", None)
    model = settings.pop("model", None) or getattr(judge, "model_name", None) or getattr(judge, "model", None)
    described = {name: describe_value(value) for name, value in settings.items() if name not in _OF_THE_CASE}
    texts, params = split_settings(described)
    version = importlib.metadata.version(LIBRARY.distribution)
    # The library takes the provider away when it asks a client for the first time.
    name = model.removeprefix("openai:") if isinstance(model, str) else None
    return {"scorer": f"{scorer.__module__}.{scorer.__qualname__}", "version": version, **texts}, params, name


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> LibraryJudgement | None:
    def make() -> LibraryJudgement:
        prompt, params, model = describe_scorer(kwargs["scorer"])
        return LibraryJudgement(library, kwargs["feedback_key"], model=model, prompt=prompt, params=params)

    return begin_judgement(library, make)


def _record_results(block: LibraryJudgement, result: Any, args: Arguments, kwargs: Keywords) -> None:
    """Record the score of a result, or of each of several; an answer in the application's own form may have none."""
    results = result if isinstance(result, list) else [result]
    for each in results:
        if isinstance(each, Mapping) and "score" in each:
            block.record(each["score"], each["score"], name=each.get("key") if len(results) > 1 else None)
        else:
            block.skip()


_RUN = Around(_begin, _record_results)
_WRAPS = {"_run_evaluator": wrap_call(_RUN), "_arun_evaluator": wrap_call(_RUN, is_async=True)}
# The modules import the runner by its name.
_MODULES = (
    "code.base",
    "exact",
    "json.match",
    "string.embedding_similarity",
    "string.levenshtein",
    "trajectory.llm",
    "trajectory.match",
    "trajectory.strict",
    "trajectory.subset",
    "trajectory.superset",
    "trajectory.unordered",
)
LIBRARY = PatchedLibrary(
    "openevals",
    ">=0.2,<0.3",
    (
        *(Target("openevals.llm", "", f"{name}_untyped", wrap) for name, wrap in _WRAPS.items()),
        *(
            Target(f"openevals.{module}", "", name, wrap, optional=True)
            for module in _MODULES
            for name, wrap in _WRAPS.items()
        ),
    ),
    ClientInfo(
        operations=("evaluate (every evaluator)",),
        unknown=("the score of an answer in a form of your own (`output_schema`) that has no `score`",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_openevals`."""

    libraries = (LIBRARY,)


OpenevalsInstrumentor = Instrumentor  # the name that others give theirs
