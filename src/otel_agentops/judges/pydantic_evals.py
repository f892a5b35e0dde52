"""Pydantic Evals: each run of an evaluator on one case is one judgement, with all its tries.

Patched are the function that every report runs an evaluator by, and the two methods for who runs one by himself:
https://github.com/pydantic/pydantic-ai/blob/main/pydantic_evals/pydantic_evals/evaluators/_run_evaluator.py
https://github.com/pydantic/pydantic-ai/blob/main/pydantic_evals/pydantic_evals/evaluators/evaluator.py
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call
from otel_agentops.judges._judgements import LibraryJudgement, begin_judgement, describe_value, split_settings

_GRADERS = "pydantic_evals.evaluators.llm_as_a_judge"  # has the default of the model
# The model and its settings are told apart; the name is that of the judge.
_SKIPPED = frozenset(["evaluation_name", "evaluator_version", "model", "model_settings"])


class Evaluator(Protocol):
    """An evaluator, as far as it is read; it is a dataclass."""

    def get_default_evaluation_name(self) -> str:
        """Return the name of its results."""


class Result(Protocol):
    """One result of an evaluator in a report."""

    name: str
    value: object


def find_model(evaluator: Evaluator) -> str | None:
    """Return the model asked for; None if the evaluator asks none."""
    if not hasattr(evaluator, "model"):
        return None
    model = evaluator.model or getattr(sys.modules.get(_GRADERS), "_default_model", None)
    name = model if isinstance(model, str) else getattr(model, "model_id", None) or getattr(model, "model_name", None)
    return name if isinstance(name, str) else None


def describe_evaluator(evaluator: Any) -> tuple[dict[str, object], dict[str, object]]:
    """Return everything that the prompts of an evaluator are made from, beside the judged case, and its parameters.

    The prompts around the rubric are the library's own, so another version of it is another prompt.
    """
    names = [field.name for field in dataclasses.fields(evaluator) if field.name not in _SKIPPED]
    settings = {name: value for name in names if (value := getattr(evaluator, name, None)) is not None}
    texts, params = split_settings({name: describe_value(value) for name, value in settings.items()})
    if model_settings := getattr(evaluator, "model_settings", None):
        params["model_settings"] = describe_value(model_settings)
    kind = type(evaluator)
    version = importlib.metadata.version(LIBRARY.distribution)
    return {"evaluator": f"{kind.__module__}.{kind.__qualname__}", "version": version, **texts}, params


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> LibraryJudgement | None:
    def make() -> LibraryJudgement:
        evaluator = args[0] if args else kwargs["evaluator"]
        prompt, params = describe_evaluator(evaluator)
        version = getattr(evaluator, "evaluator_version", None)
        return LibraryJudgement(
            library,
            evaluator.get_default_evaluation_name(),
            model=find_model(evaluator),
            prompt=prompt,
            rubric_version=version if isinstance(version, str) else None,
            params=params,
        )

    return begin_judgement(library, make)


def _record_report(block: LibraryJudgement, result: object, args: Arguments, kwargs: Keywords) -> None:
    """Record the results of a report, or the failure that the library has turned an exception into."""
    if isinstance(result, Sequence):
        record_values(block, {each.name: each.value for each in result})
    else:  # older versions do not tell the kind of a failure, but in its text
        message = str(getattr(result, "error_message", ""))
        block.fail(getattr(result, "error_type", None) or message.partition(":")[0] or "error")


def _record_output(block: LibraryJudgement, output: object, args: Arguments, kwargs: Keywords) -> None:
    """Record what an evaluator returned: a value, one with its reason, or several by name."""
    outputs = output if isinstance(output, Mapping) else {block.name: output}
    record_values(block, {str(name): getattr(value, "value", value) for name, value in outputs.items()})


def record_values(block: LibraryJudgement, values: Mapping[str, object]) -> None:
    """Record numbers as scores, texts as labels, and True or False as a label and, without a number, as a score.

    One verdict has at most one of each. An evaluator with several numbers gives several scores, each with its name. One
    without any value does not apply to the case.
    """
    truths = {name: value for name, value in values.items() if isinstance(value, bool)}
    numbers = {name: value for name, value in values.items() if isinstance(value, (int, float)) and name not in truths}
    named = [label for value in values.values() if (label := name_truth(value)) is not None]
    if not values:
        block.skip()
    elif len(numbers) <= 1 and len(named) <= 1:
        block.record(next(iter((numbers or truths).values()), None), next(iter(named), None))
    else:
        for name, value in values.items():
            block.record(value, name_truth(value), name=name)


def name_truth(value: object) -> object:
    """Return the label of an assertion; a text is its own, a number has none."""
    if isinstance(value, bool):
        return "pass" if value else "fail"
    return value if isinstance(value, str) else None


_RUN = wrap_call(Around(_begin, _record_report), is_async=True)
EVALUATOR = ("pydantic_evals.evaluators.evaluator", "Evaluator")
LIBRARY = PatchedLibrary(
    "pydantic-evals",
    ">=2.30,<3",
    (
        Target("pydantic_evals.dataset", "", "run_evaluator", _RUN, ("evaluator",)),
        Target("pydantic_evals._online", "", "run_evaluator", _RUN, ("evaluator",), optional=True),
        Target("pydantic_evals.online", "", "run_evaluator", _RUN, ("evaluator",), optional=True),
        Target(*EVALUATOR, "evaluate_sync", wrap_call(Around(_begin, _record_output))),
        Target(*EVALUATOR, "evaluate_async", wrap_call(Around(_begin, _record_output), is_async=True)),
    ),
    ClientInfo(
        operations=("evaluate (`Dataset.evaluate`, `Evaluator.evaluate_async` and `evaluate_sync`)",),
        not_covered=("`judge_output` and the like, called without an evaluator", "evaluators of a whole report"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_pydantic_evals`."""

    libraries = (LIBRARY,)


PydanticEvalsInstrumentor = Instrumentor  # the name that others give theirs
