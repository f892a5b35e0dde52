"""The `sli:` of a spec: a built-in's name, a built-in with a threshold, or conditions of the team's own.

sli: task_completed
sli: {use: latency, threshold: 8, name: slow_answers}
sli: {name: empty_search, type: proxy, on: tool, eligible: …, bad: …, about: searches that found nothing, labels: […]}
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag, model_validator

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import check
from otel_agentops.semconv.table import ATTRIBUTES
from otel_agentops.slo import _ottl
from otel_agentops.slo.indicators import BUILT_IN, PARAMETRISED, Indicator, On, narrow_to_judge

EVENTS: frozenset[On] = frozenset({"evaluation", "outcome"})  # everything else is a span
ALWAYS = (A.SERVICE_NAME, A.DEPLOYMENT_ENVIRONMENT_NAME, A.SLI_NAME, A.SLI_TYPE)
NAME = r"[a-z][a-z0-9_]{0,62}"
_OWN, *_CONVENTIONS = (f"{name.partition('.')[0]}." for name in (A.SLI_NAME, A.GEN_AI_TOOL_NAME, A.OPENAI_API_TYPE))


def _list_json(names: Iterable[str]) -> list[JsonValue]:
    return [*names]


class _Mapping(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# -- texts


def check_text(value: str) -> str:
    """Return a text on one line, without control characters.

    Neither YAML nor a query can hold one.
    """
    line = " ".join(value.split())
    if not line:
        raise ValueError("is empty; fill it in")
    if control_characters := [letter for letter in line if unicodedata.category(letter) in ("Cc", "Cs")]:
        raise ValueError(f"has the control character {control_characters[0]!r}; take it out")
    return line


Text = Annotated[str, AfterValidator(check_text), Field(json_schema_extra={"pattern": r"\S"})]


def _check_name(value: str) -> str:
    if not re.fullmatch(NAME, value):
        raise ValueError(f"{value!r} is no name; take a-z, 0-9 and _, at most 63 of them, a letter first")
    return value


def find_close(wrong: str, candidates: Sequence[str]) -> str:
    """Return the candidate that a misspelt word stands for, or nothing."""
    return next(iter(get_close_matches(wrong, candidates, n=1, cutoff=0.75)), "")


def suggest_word(wrong: str, candidates: Sequence[str]) -> str:
    """Return the start of a sentence that suggests the closest word, or nothing."""
    close = find_close(wrong, candidates)
    return f"did you mean {close}? " if close else ""


# -- a built-in


def _check_built_in(name: str) -> str:
    if name in PARAMETRISED and PARAMETRISED[name].default is None:
        unit = PARAMETRISED[name].unit
        raise ValueError(f"{name} needs a threshold ({unit}); write {{use: {name}, threshold: …}}")
    if name not in BUILT_IN and name not in PARAMETRISED:
        candidates = sorted([*BUILT_IN, *PARAMETRISED])
        raise ValueError(
            f"{name!r} is no service level indicator; {suggest_word(name, candidates)}take one of "
            f"{', '.join(candidates)}, or write conditions of your own (docs/slo.md)"
        )
    return name


def _check_use(name: str) -> str:
    if name in BUILT_IN:
        raise ValueError(f"{name} takes no threshold; write sli: {name}")
    if name not in PARAMETRISED:
        candidates = sorted(PARAMETRISED)
        raise ValueError(
            f"{name!r} takes no threshold; {suggest_word(name, candidates)}those that do are {', '.join(candidates)}"
        )
    return name


class Use(_Mapping):
    """A built-in indicator with a threshold of the team."""

    use: Annotated[str, AfterValidator(_check_use)] = Field(
        description="The built-in indicator.", json_schema_extra={"enum": _list_json(sorted(PARAMETRISED))}
    )
    threshold: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="What is above it is bad; the unit is the indicator's. Of score_floor: a score below it is bad.",
    )
    on: On | None = Field(default=None, description="The operation that is counted, where there is a choice.")
    name: Annotated[str, AfterValidator(_check_name), Field(json_schema_extra={"pattern": f"^{NAME}$"})] | None = Field(
        default=None, description="Name in labels, where one indicator is used with several thresholds."
    )
    judge: Text | None = Field(default=None, description="The only judge whose scores are counted, of score_floor.")

    @model_validator(mode="after")
    def _check_threshold(self) -> Use:
        kind = PARAMETRISED[self.use]
        if self.threshold is None and kind.default is None:
            raise ValueError(f"threshold ({kind.unit}) of {self.use} is missing; only the team can know it")
        if self.threshold is not None and kind.most is not None and self.threshold > kind.most:
            raise ValueError(
                f"threshold {self.threshold:g} is above {kind.most:g} ({kind.unit}), which nothing exceeds"
            )
        if self.on is not None and self.on not in kind.ons:
            raise ValueError(f"{self.use} counts no {self.on}; on is one of {', '.join(kind.ons)}")
        if self.judge is not None and "evaluation" not in kind.ons:
            raise ValueError(f"{self.use} counts no judgements; take judge out")
        if self.name != self.use and self.name in {*BUILT_IN, *PARAMETRISED}:
            raise ValueError(f"the name {self.name} is that of another built-in indicator; give it another one")
        return self

    @property
    def indicator(self) -> Indicator:
        """Return the indicator that a spec counts."""
        indicator = _build_indicator(self.use, self.name or self.use, self.threshold, self.on)
        return indicator if self.judge is None else narrow_to_judge(indicator, self.judge)


def _build_indicator(use: str, name: str, threshold: float | None, on: On | None) -> Indicator:
    kind = PARAMETRISED[use]
    limit = kind.default if threshold is None else threshold
    assert limit is not None, "refused by the model"
    return kind.make(name, limit, on or kind.ons[0])


# -- the team's own


def _check_own_name(value: str) -> str:
    if value in BUILT_IN or value in PARAMETRISED:
        raise ValueError(f"{value} is a built-in indicator; give yours another name")
    return _check_name(value)


def _check_condition(value: str) -> str:
    line = check_text(value)
    try:
        condition = _ottl.parse(line)
    except _ottl.OttlError as error:
        raise ValueError(f"is no condition: {error}") from None
    for read in condition.reads:
        _check_registered(read.key)
    for read, compared in condition.compared:
        _check_possible(read.key, compared)
    return line


def _check_registered(key: str) -> None:
    """Refuse unknown names of ours.

    Of a convention we know those alone that we emit: see `list_notes`.
    """
    if key.startswith(_OWN) and check.find_attribute(key) is None:
        raise ValueError(f"{key} is no attribute; {suggest_word(key, tuple(ATTRIBUTES))}docs/semconv.md lists them")


def _check_possible(key: str, value: str) -> None:
    attribute = check.find_attribute(key)
    if key.startswith(_OWN) and attribute and attribute.values and value not in attribute.values:
        suggestion = suggest_word(value, attribute.values)
        raise ValueError(f"{key} is never {value!r}; {suggestion}it is one of {', '.join(attribute.values)}")


def _check_label(key: str) -> str:
    attribute = check.find_attribute(key)
    if key in ALWAYS:
        raise ValueError(f"{key} is on every point already; leave it out")
    if attribute is None:
        raise ValueError(
            f"{key} is no attribute of the registry; {suggest_word(key, tuple(ATTRIBUTES))}docs/semconv.md has them"
        )
    if attribute.label not in ("yes", "opt_in"):
        why = "is unbounded or personal" if attribute.label == "never" else "is of no use as a label"
        raise ValueError(f"{key} {why}; docs/semconv.md says what may be one")
    return key


Condition = Annotated[str, AfterValidator(_check_condition), Field(json_schema_extra={"pattern": r"\S"})]
LABELS = [key for key, attribute in ATTRIBUTES.items() if attribute.label in ("yes", "opt_in") and key not in ALWAYS]
Label = Annotated[str, AfterValidator(_check_label), Field(json_schema_extra={"enum": _list_json(sorted(LABELS))})]


class Own(_Mapping):
    """An indicator of the team, as conditions of the OpenTelemetry collector (OTTL)."""

    name: Annotated[str, AfterValidator(_check_own_name)] = Field(
        description="Name in labels.", json_schema_extra={"pattern": f"^{NAME}$"}
    )
    type: Literal["proxy", "direct"] = Field(
        description="proxy: stands in for what users care about; direct: measures what it is named after."
    )
    on: On = Field(description="The operation or event that is counted.")
    eligible: Condition = Field(description='Which of them count: attributes["…"] == "…".')
    bad: Condition = Field(description="Which of the eligible ones are bad.")
    about: Text = Field(description="What is bad, in the plural: searches that found nothing.")
    labels: tuple[Label, ...] = Field(
        default=(), max_length=4, strict=False, description="Attributes that become labels of the counters."
    )

    @model_validator(mode="after")
    def _check_contexts(self) -> Own:
        wrong = "span" if self.on in EVENTS else "log"
        for field in ("eligible", "bad"):
            if wrong in _ottl.parse(getattr(self, field)).contexts:
                what = "an event" if wrong == "span" else "a span"
                raise ValueError(f'{field} reads `{wrong}.`, but {self.on} is {what}; write attributes["…"]')
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("labels names one twice; take it out")
        return self

    @property
    def indicator(self) -> Indicator:
        """Return the indicator that a spec counts."""
        return Indicator(self.name, self.type, self.on, self.eligible, self.bad, self.labels, self.about)

    def list_notes(self) -> Iterator[str]:
        """Yield one sentence for each field that is allowed and perhaps not meant."""
        for label in self.labels:
            attribute = check.find_attribute(label)
            if attribute and attribute.label == "opt_in":
                yield f"label {label} has as many values as the application has users of it; a series is kept for each"
        reads = [read.key for field in (self.eligible, self.bad) for read in _ottl.parse(field).reads]
        for key in dict.fromkeys(reads):
            if key.startswith(tuple(_CONVENTIONS)) and check.find_attribute(key) is None:
                suggestion = suggest_word(key, tuple(ATTRIBUTES))
                yield f"{key} is none of the attributes that are known here; {suggestion}check its spelling"


# -- any of them


NAMED = [*BUILT_IN, *(name for name, kind in PARAMETRISED.items() if kind.default is not None)]


def _choose_form(value: Any) -> str:
    if isinstance(value, Mapping):
        return "use" if "use" in value else "own"
    return "use" if isinstance(value, Use) else "own" if isinstance(value, Own) else "built_in"


Sli = Annotated[
    Annotated[
        str,
        AfterValidator(_check_built_in),
        Field(json_schema_extra={"enum": _list_json(sorted(NAMED))}),
        Tag("built_in"),
    ]
    | Annotated[Use, Tag("use")]
    | Annotated[Own, Tag("own")],
    Discriminator(_choose_form),
]
FORMS: Mapping[str, type[BaseModel]] = {"use": Use, "own": Own}


def find_indicator(sli: str | Use | Own) -> Indicator:
    """Return the indicator that a spec counts."""
    if not isinstance(sli, str):
        return sli.indicator
    return BUILT_IN[sli] if sli in BUILT_IN else _build_indicator(sli, sli, None, None)
