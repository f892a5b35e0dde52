"""MLflow: each call of a scorer is one judgement: of a judge, a built-in scorer, a function, or a class of your own.

Each class of scorers has a `__call__` of its own, which the runner of evaluations calls as well. The judge's model is
asked without a client library, by one function that every provider passes:
https://github.com/mlflow/mlflow/blob/master/mlflow/genai/scorers/base.py
https://github.com/mlflow/mlflow/blob/master/mlflow/genai/judges/adapters/gateway_adapter.py
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._context import JudgeScope, current_scope
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.judges._judgements import (
    LibraryJudgement,
    begin_judgement,
    describe_value,
    patch_subclasses,
    split_settings,
)

# Where it runs and how it is shown; the model, the name and the parameters of the model are told apart.
_SKIPPED = frozenset([
    "aggregations", "base_url", "description", "extra_headers", "inference_params", "model", "name",
    "required_columns", "session_level", "timeout",
])  # fmt: skip
_OF_THE_LIBRARY = frozenset(["builtin", "ensemble", "guidelines", "instructions", "memory_augmented"])


def describe_scorer(scorer: Any) -> tuple[dict[str, object], dict[str, object]]:
    """Return everything that the prompts of a scorer are made from, beside the judged case, and its parameters.

    Most of the prompts are the library's own, so another version of it is another prompt.
    """
    kind = type(scorer)
    settings = {name: getattr(scorer, name, None) for name in kind.model_fields if name not in _SKIPPED}
    settings["instructions"] = getattr(scorer, "instructions", None)
    settings["function"] = getattr(scorer, "_original_func", None)
    settings["rationale_first"] = getattr(scorer, "_generate_rationale_first", None)
    described = {name: describe_value(value) for name, value in settings.items() if value is not None}
    if (value_type := getattr(scorer, "feedback_value_type", None)) is not None:
        described["feedback_value_type"] = str(value_type)
    if members := getattr(scorer, "_scorers", None):
        described["scorers"] = [{"name": each.name, **describe_scorer(each)[0]} for each in members]
    texts, params = split_settings(described)
    inference = getattr(scorer, "inference_params", None) or getattr(scorer, "_inference_params", None) or {}
    params.update({name: describe_value(value) for name, value in inference.items()})
    version = importlib.metadata.version(LIBRARY.distribution)
    return {"scorer": f"{kind.__module__}.{kind.__qualname__}", "version": version, **texts}, params


def find_model(scorer: Any) -> str | None:
    """Return the model asked for, with its provider; None if the scorer asks none."""
    if not hasattr(scorer, "model"):
        return None
    model = scorer.model or importlib.import_module("mlflow.genai.judges.utils").get_default_model()
    return model if isinstance(model, str) else None


def _begin(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> LibraryJudgement | None:
    def make() -> LibraryJudgement:
        scorer = args[0]
        prompt, params = describe_scorer(scorer)
        return LibraryJudgement(
            library,
            scorer.name,
            model=find_model(scorer),
            prompt=prompt,
            params=params,
            is_application_code=scorer.kind.value not in _OF_THE_LIBRARY,
        )

    return begin_judgement(library, make)


def _record_result(block: LibraryJudgement, result: object, args: Arguments, kwargs: Keywords) -> None:
    """Record a value or a feedback, or each of several; no result says that the scorer does not apply."""
    if result is None:
        block.skip()
    several = isinstance(result, list)
    for each in result if isinstance(result, list) else [result]:
        _record_feedback(block, each, several)


def _record_feedback(block: LibraryJudgement, feedback: Any, is_one_of_several: bool) -> None:
    if (error := getattr(feedback, "error", None)) is not None:
        block.fail(error.error_code)
    else:
        value = getattr(feedback, "value", feedback)
        # A rating is an enum member that is a text as well.
        label = str(getattr(value, "value", value)) if isinstance(value, str) else None
        block.record(value, label, name=feedback.name if is_one_of_several else None)


def _find_judge(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> JudgeScope | None:
    return current_scope().judge if library.active else None


def _keep_model(judge: JudgeScope, answer: object, args: Arguments, kwargs: Keywords) -> None:
    model = answer.get("model") if isinstance(answer, Mapping) else None
    judge.models.append(model if isinstance(model, str) else None)


def _keep_failure(judge: JudgeScope, error: BaseException, args: Arguments, kwargs: Keywords) -> None:
    judge.models.append(None)


_GATEWAY = "mlflow.genai.judges.adapters.gateway_adapter"
LIBRARY = PatchedLibrary(
    "mlflow",
    ">=3.15,<4",
    (
        patch_subclasses(
            "mlflow.genai.scorers.base", "Scorer", {"__call__": wrap_call(Around(_begin, _record_result))}
        ),
        Target(_GATEWAY, "", "send_chat_request", wrap_step(Around(_find_judge, _keep_model, _keep_failure))),
    ),
    ClientInfo(
        operations=("evaluate (a call of a scorer, and `mlflow.genai.evaluate`)",),
        unknown=("the model that answered, of models that Databricks serves",),
        not_covered=("functions of `mlflow.genai.judges`, called without a scorer", "spans of the judge's model calls"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_mlflow`."""

    libraries = (LIBRARY,)


MlflowInstrumentor = Instrumentor  # the name that others give theirs
