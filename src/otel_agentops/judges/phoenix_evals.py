"""Phoenix evals: each evaluation of one record by an evaluator is one judgement.

Patched are the two methods of the base class, which all others and the runner of data frames call:
https://github.com/Arize-ai/phoenix/blob/main/packages/phoenix-evals/src/phoenix/evals/evaluators.py
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from otel_agentops import _patching
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call
from otel_agentops.judges._judgements import LibraryJudgement, begin_judgement, describe_value

# What an evaluator may have beside its name and its model; each class has some of them.
_TEXTS = ("prompt_template", "choices", "labels", "label_score_map", "schema", "_schema")
_PARAMS = ("include_explanation", "direction")


class Score(Protocol):
    """A result of an evaluator."""

    name: str | None
    score: float | None
    label: str | None


def describe_evaluator(evaluator: Any) -> dict[str, object]:
    """Return everything that the prompts of an evaluator are made from, beside the judged record.

    How a label is asked for is the library's own, so another version of it is another prompt.
    """
    kind = type(evaluator)
    texts = {name.removeprefix("_"): value for name in _TEXTS if (value := getattr(evaluator, name, None)) is not None}
    if (template := texts.pop("prompt_template", None)) is not None:
        texts["prompt_template"] = getattr(template, "template", template)
    function = getattr(evaluator, "_fn", None)  # of an evaluator that is made from a function
    return {
        "evaluator": f"{kind.__module__}.{kind.__qualname__}" if function is None else describe_value(function),
        "version": importlib.metadata.version(LIBRARY.distribution),
        **{name: describe_value(value) for name, value in texts.items()},
    }


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> LibraryJudgement | None:
    def make() -> LibraryJudgement:
        evaluator = args[0]
        params = {name: value for name in _PARAMS if (value := getattr(evaluator, name, None)) is not None}
        invocation = describe_value(getattr(evaluator, "invocation_parameters", None) or {})
        return LibraryJudgement(
            library,
            evaluator.name,
            model=getattr(getattr(evaluator, "llm", None), "model", None),
            prompt=describe_evaluator(evaluator),
            params={**params, **(invocation if isinstance(invocation, Mapping) else {})},
        )

    return begin_judgement(library, make)


def _record_scores(block: LibraryJudgement, scores: Sequence[Score], args: Arguments, kwargs: Keywords) -> None:
    for score in scores:
        block.record(score.score, score.label, name=score.name if len(scores) > 1 else None)


_EVALUATE = Around(_begin, _record_scores)
EVALUATOR = ("phoenix.evals.evaluators", "Evaluator")
LIBRARY = PatchedLibrary(
    "arize-phoenix-evals",
    ">=3.0,<4",
    (
        Target(*EVALUATOR, "evaluate", wrap_call(_EVALUATE), ("eval_input",)),
        Target(*EVALUATOR, "async_evaluate", wrap_call(_EVALUATE, is_async=True), ("eval_input",)),
    ),
    ClientInfo(
        operations=("evaluate (`Evaluator.evaluate`, `async_evaluate`, and data frames)",),
        native="on: its span of a model call gets what it lacks, so no token is there twice",
        not_covered=("a call of a function that was made an evaluator, past `evaluate`",),
        foreign_spans=ForeignSpans(
            operations_by_name={
                "LLM.generate_text": "chat",
                "LLM.generate_object": "chat",
                "LLM.async_generate_text": "chat",
                "LLM.async_generate_object": "chat",
            }
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_phoenix_evals`."""

    libraries = (LIBRARY,)


PhoenixEvalsInstrumentor = Instrumentor  # the name that others give theirs
