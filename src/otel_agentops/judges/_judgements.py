"""Judgements that a library makes: one event for each, whatever it calls on the way.

The verdict of a library is that of its outermost judge. What runs inside belongs to it: other judges of the same or
another library, model calls, a second try at an answer that could not be read.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import math
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from numbers import Real

from typing_extensions import override

from otel_agentops import _coerce
from otel_agentops._context import current_scope
from otel_agentops._guard import guard
from otel_agentops._patching import PatchedLibrary, Target, Wrap, watch_subclasses
from otel_agentops._telemetry import Telemetry
from otel_agentops.helpers._judge import judge
from otel_agentops.operations import Attributes
from otel_agentops.semconv import attributes as A

_MAX_DEPTH = 8  # of a configuration, whose objects may hold each other


class LibraryJudgement(judge):
    """One judgement by a library.

    The prompt of a judge of the library is described once: the instructions that are sent are made from it and from the
    judged case.

    Args:
        library: The library.
        name: The judge's name.
        model: The judge model asked for.
        prompt: Everything that its prompts are made from, beside the judged case: a text, or a value for JSON.
        rubric_version: Version of the rubric, if the library knows one.
        threshold: A score below it is bad.
        params: Sampling and whatever else shapes the verdict.
        is_application_code: True if the judge is code of the application. Its prompt is then what it sends, and the
            verdict is that of a judge which it asks.
    """

    def __init__(
        self,
        library: PatchedLibrary,
        name: str,
        *,
        model: str | None = None,
        prompt: object = None,
        rubric_version: str | None = None,
        threshold: float | None = None,
        params: Mapping[str, object] | None = None,
        is_application_code: bool = False,
    ) -> None:
        if prompt is not None and not isinstance(prompt, str):
            prompt = json.dumps(prompt, ensure_ascii=False, sort_keys=True)
        super().__init__(
            name,
            model=model,
            prompt=prompt,
            rubric_version=rubric_version,
            threshold=threshold,
            params=params or None,
        )
        self._library = library
        self.gives_way = self.reads_sent_prompts = is_application_code

    @override
    def _find_telemetry(self) -> Telemetry:
        return self._library.telemetry or super()._find_telemetry()

    def record(self, score: object, label: object = None, name: str | None = None) -> None:
        """Record a score, a label or both; a judgement that has neither falls silent.

        Args:
            score: A number, or True or False as 1 or 0; NaN or anything else is no score.
            label: A text; anything else is no label.
            name: Of this score, if the judgement has several; None for the judge's.
        """
        verdict: Attributes = {}
        if isinstance(score, Real) and not math.isnan(score):
            verdict[A.GEN_AI_EVALUATION_SCORE_VALUE] = float(score)
        if isinstance(label, str):
            verdict[A.GEN_AI_EVALUATION_SCORE_LABEL] = label
        if verdict:
            named: Attributes = {} if name is None else {A.GEN_AI_EVALUATION_NAME: name}
            self._record_verdict({**named, **verdict}, None, None)

    def fail(self, error_type: str) -> None:
        """Record a failure that the library reports without an exception."""
        self._record_verdict({}, None, error_type)


def begin_judgement(library: PatchedLibrary, make: Callable[[], LibraryJudgement]) -> LibraryJudgement | None:
    """Return a judgement; None if the library is not observed, or if this is a part of another judgement."""
    outer = current_scope().judge
    return make() if library.active and (outer is None or outer.inner_judges is not None) else None


def read_settings(owner: object, skipped: Collection[str] = ()) -> dict[str, object]:
    """Return the attributes of an object that its constructor was given, as far as they are not None.

    skipped: Parameters that do not shape a verdict.
    """
    parameters = inspect.signature(type(owner).__init__).parameters
    names = [name for name in parameters if name not in skipped and not name.startswith("_")]
    settings = {name: getattr(owner, name, None) for name in names}
    return _coerce.drop_none(settings)


def split_settings(settings: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Return what a prompt is made from, and the parameters, which are switches and numbers."""
    params: dict[str, object] = {
        name: value for name, value in settings.items() if isinstance(value, (bool, int, float))
    }
    return {name: value for name, value in settings.items() if name not in params}, params


def describe_value(
    value: object, list_names: Callable[[object], Iterable[str] | None] | None = None, depth: int = 0
) -> object:
    """Return a value of a configuration as JSON; the same configuration gives the same.

    Args:
        value: The value. An object of no known kind is its class.
        list_names: Returns the names of the attributes that describe an object of a further kind; None for others.
        depth: How deep in the configuration it is.
    """
    if isinstance(value, enum.Enum):
        return describe_value(value.value, list_names, depth)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, type) or inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    kind = f"{type(value).__module__}.{type(value).__qualname__}"

    def describe(member: object) -> object:
        return kind if depth >= _MAX_DEPTH else describe_value(member, list_names, depth + 1)

    if isinstance(value, Mapping):
        return {str(key): describe(member) for key, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        members = [describe(member) for member in value]
        return members if isinstance(value, (list, tuple)) else sorted(members, key=str)
    names = _list_fields(value)
    if names is None and list_names is not None:
        names = list_names(value)
    if names is None:
        return kind
    described = {name: describe(getattr(value, name, None)) for name in names if not name.startswith("_")}
    return {"class": kind, **_coerce.drop_none(described)}


def _list_fields(value: object) -> Iterable[str] | None:
    """Return the names of the fields of a dataclass or a model of Pydantic; None for any other object."""
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    fields = getattr(type(value), "model_fields", None)
    return list(fields) if isinstance(fields, Mapping) else None


def patch_subclasses(module: str, owner: str, methods: Mapping[str, Wrap]) -> Target:
    """Return the target that patches methods of all classes below a base class, whenever a class is made.

    An abstract method judges nothing. The async method of a pair is the one whose name begins with `a`; a method of
    the other kind is left alone.
    """

    @guard
    def patch_methods(library: PatchedLibrary, each: type) -> None:
        for name, wrap in methods.items():
            method = vars(each).get(name)
            is_async = name.lstrip("_").startswith("a")
            if not inspect.isfunction(method) or getattr(method, "__isabstractmethod__", False):
                continue
            if inspect.iscoroutinefunction(method) is is_async:
                library.patch_class(each, name, wrap)

    watch = watch_subclasses(lambda: getattr(sys.modules.get(module), owner, None), patch_methods)
    return Target(module, owner, "__init_subclass__", watch)
