"""Autoevals: each call of a scorer is one judgement.

Patched are the two methods of the base class, and those of the classes that `partial` makes, which have their own:
https://github.com/braintrustdata/autoevals/blob/main/py/autoevals/score.py
https://github.com/braintrustdata/autoevals/blob/main/py/autoevals/partial.py
"""

from __future__ import annotations

import importlib.metadata
from typing import Any, Protocol

from otel_agentops import _patching
from otel_agentops._derive import name_error
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.judges._judgements import LibraryJudgement, begin_judgement, describe_value, split_settings

_SKIPPED = frozenset(["api_key", "base_url", "client", "engine", "extraction_model", "model", "name"])


class Score(Protocol):
    """The result of a scorer; one without a score was skipped."""

    score: float | None
    metadata: dict[str, Any]
    error: Exception | None


def describe_scorer(scorer: Any) -> tuple[dict[str, object], dict[str, object]]:
    """Return everything that the prompt of a scorer is made from, beside the judged case, and its parameters.

    Most templates are the library's own, so another version of it is another prompt.
    """
    settings = {**vars(scorer), **getattr(scorer, "_partial_args", dict)()}
    settings.update(settings.pop("extra_args", {}))
    names = [name for name in settings if name not in _SKIPPED and not name.startswith("_")]
    described = {name: describe_value(settings[name]) for name in names if settings[name] is not None}
    texts, params = split_settings(described)
    kind = type(scorer)
    version = importlib.metadata.version(LIBRARY.distribution)
    return {"scorer": f"{kind.__module__}.{kind.__name__}", "version": version, **texts}, params


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> LibraryJudgement | None:
    def make() -> LibraryJudgement:
        scorer = args[0]
        prompt, params = describe_scorer(scorer)
        model = getattr(scorer, "model", None) or getattr(scorer, "extraction_model", None)
        return LibraryJudgement(library, scorer._name(), model=model, prompt=prompt, params=params)

    return begin_judgement(library, make)


def _record_score(block: LibraryJudgement, score: Score, args: Arguments, kwargs: Keywords) -> None:
    if score.error is not None:
        block.fail(name_error(score.error))
    elif score.score is None:
        block.skip()
    else:
        block.record(score.score, (score.metadata or {}).get("choice"))


_EVAL = Around(_begin, _record_score)
_METHODS = {"eval": wrap_call(_EVAL), "eval_async": wrap_call(_EVAL, is_async=True)}


def _patch_partial(library: PatchedLibrary, scorer_class: type, args: Arguments, kwargs: Keywords) -> None:
    for name, wrap in _METHODS.items():
        library.patch_class(scorer_class, name, wrap)


def _find_library(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> PatchedLibrary:
    return library


LIBRARY = PatchedLibrary(
    "autoevals",
    ">=0.1,<0.5",
    (
        *(Target("autoevals.score", "Scorer", name, wrap, ("output",)) for name, wrap in _METHODS.items()),
        Target("autoevals.partial", "ScorerWithPartial", "partial", wrap_step(Around(_find_library, _patch_partial))),
    ),
    ClientInfo(operations=("evaluate (`Scorer.eval`, `eval_async` and the call of a scorer)",)),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_autoevals`."""

    libraries = (LIBRARY,)


AutoevalsInstrumentor = Instrumentor  # the name that others give theirs
