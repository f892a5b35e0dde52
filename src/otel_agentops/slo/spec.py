"""A service level objective as a YAML file, or a sentence for each mistake in the file.

name: answers              # the label `slo`
service: support-.*        # default: every service
sli: task_completed
objective: 0.95
window: 30d
owner: support-team
runbook: https://…
trip_policy: Who does what when the budget is spent.
severity: page             # or `ticket`: never wakes anybody
minimum: {events: 20, failures: 3}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml.comments import CommentedMap

from otel_agentops import _yaml
from otel_agentops._yaml import InputError as SpecError
from otel_agentops.slo import sli as slis
from otel_agentops.slo.indicators import Indicator
from otel_agentops.slo.sli import Own, Sli, Text, find_close, suggest_word

__all__ = ["Minimum", "Slo", "SpecError", "describe_problem", "list_notes", "load", "select_errors"]

NAME = r"[a-z]([a-z0-9_-]{0,61}[a-z0-9])?"
# Python knows these and RE2, and so Prometheus, does not: lookaround and named groups, backreferences, its own escapes,
# possessive repetition, a backslash before a letter that is not ASCII.
_NOT_RE2 = re.compile(r"\(\?(?!:|i\)|i:)|\\(?:[1-9NuUZ]|[^\x00-\x7f])|[*+?}]\+")


def _check_service(pattern: str) -> str:
    if match := _NOT_RE2.search(pattern):
        raise ValueError(f"{pattern!r} has {match[0]!r}, which Prometheus (RE2) does not know; say it without")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    return pattern


def _check_window(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,2}d", text):
        raise ValueError(f"{text!r} is no number of days; write for instance 30d")
    if not 7 <= int(text[:-1]) <= 90:
        raise ValueError(f"{text!r} is not between 7d and 90d; the slowest alert looks at 3 days")
    return text


def _check_name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise ValueError(f"{text!r} is no name; take a-z, 0-9, - and _, at most 63, a letter first, no - or _ last")
    return text


class Minimum(BaseModel):
    """The least number of events and failures in the long window of an alert before it may fire."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    events: int = Field(default=20, ge=1, description="Events in the long window, before an alert may fire.")
    failures: int = Field(default=3, ge=1, description="Bad ones among them, before an alert may fire.")


class Slo(BaseModel):
    """A service level objective for the services whose whole name matches a regular expression."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, AfterValidator(_check_name)] = Field(
        description="The label `slo`.", json_schema_extra={"pattern": f"^{NAME}$"}
    )
    sli: Sli = Field(description="What counts: a built-in indicator, one with a threshold, or conditions of your own.")
    objective: float = Field(gt=0, lt=1, description="Part of the events that must be good: 0.95.")
    owner: Text = Field(description="Who owns the promise: label and annotation of the alerts.")
    runbook: Text = Field(description="What to read when it burns.")
    service: Annotated[Text, AfterValidator(_check_service)] = Field(
        default=".*", description="Regular expression (RE2) of the whole service.name; each service counts by itself."
    )
    window: Annotated[str, AfterValidator(_check_window)] = Field(
        default="30d",
        description="Of the budget, 7d to 90d.",
        json_schema_extra={"pattern": "^([7-9]|[1-8][0-9]|90)d$"},
    )
    trip_policy: Text | None = Field(default=None, description="What the team does when the budget is spent.")
    severity: Literal["page", "ticket"] = Field(default="page", description="ticket: wakes nobody.")
    minimum: Minimum = Field(
        default=Minimum(events=20, failures=3), description="In the long window of an alert, before it may fire."
    )

    @property
    def indicator(self) -> Indicator:
        """Return the indicator that is counted."""
        return slis.find_indicator(self.sli)

    @property
    def budget(self) -> Decimal:
        """Return the part of the events that may be bad, as an exact decimal."""
        return 1 - Decimal(repr(self.objective))


def load(path: Path | str) -> list[Slo]:
    """Load the objectives of a file, or of every `*.yaml` of a directory, by name.

    Raises:
        SpecError: If a file is missing, unreadable or wrong, or contradicts another one. Each mistake has a line.
    """
    path = Path(path)
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise SpecError(f"{path}: no *.yaml here; write a first objective, docs/slo.md shows one")
    slos: list[Slo] = []
    mistakes: list[str] = []
    for file in files:
        try:
            slos.append(_read_file(file))
        except SpecError as error:
            mistakes.append(str(error))
    if mistakes:
        raise SpecError("\n".join(mistakes))
    _refuse_twins(slos, files)
    _refuse_two_meanings(slos, files)
    return sorted(slos, key=lambda slo: slo.name)


def list_notes(slos: Sequence[Slo]) -> list[str]:
    """Return one sentence for each field that is allowed and perhaps not meant."""
    return [f"{slo.name}: sli: {note}" for slo in slos if isinstance(slo.sli, Own) for note in slo.sli.list_notes()]


def _refuse_twins(slos: Sequence[Slo], files: Sequence[Path]) -> None:
    twins = [name for name, times in Counter(slo.name for slo in slos).items() if times > 1]
    if twins:
        where = ", ".join(str(file) for slo, file in zip(slos, files, strict=True) if slo.name == twins[0])
        raise SpecError(f"{where}: name: {twins[0]!r} is taken more than once; give each objective its own")


def _refuse_two_meanings(slos: Sequence[Slo], files: Sequence[Path]) -> None:
    """Refuse two indicators of one name: a counter has one meaning."""
    first: dict[str, tuple[Indicator, Path]] = {}
    for slo, file in zip(slos, files, strict=True):
        indicator, before = first.setdefault(slo.indicator.name, (slo.indicator, file))
        if indicator != slo.indicator:
            raise SpecError(
                f"{before}, {file}: sli: {indicator.name!r} means two things here; give one of them another name"
            )


def _read_file(file: Path) -> Slo:
    documents = _yaml.read_documents(file)
    if len(documents) > 1:
        raise SpecError(f"{file}: has {len(documents)} documents (---); write each objective into a file of its own")
    content = documents[0] if documents else None
    if not isinstance(content, CommentedMap):
        raise SpecError(f"{file}:1: is no mapping of fields; write some (name, sli, objective, owner, runbook)")
    try:
        return Slo.model_validate(content)
    except ValidationError as error:
        raise SpecError("\n".join(_describe_errors(file, content, error))) from None


def _describe_errors(file: Path, content: Any, error: ValidationError) -> list[str]:
    """Return a sentence with file, line and field for each mistake, in the order of the lines."""
    sentences = []
    for each in select_errors(error):
        path = [part for at, part in enumerate(each["loc"]) if not (at == 1 and each["loc"][0] == "sli")]
        sentences.append((_yaml.find_line(content, path), ".".join(map(str, path)), describe_problem(each)))
    return [f"{file}:{line}: {field}: {problem}" for line, field, problem in sorted(sentences)]


def select_errors(error: ValidationError) -> list[ErrorDetails]:
    """Return the mistakes, without the field that is missing because its name is misspelt."""
    errors = error.errors()
    misspelt = [
        (*each["loc"][:-1], find_close(str(each["loc"][-1]), _list_fields(each["loc"])))
        for each in errors
        if each["type"] == "extra_forbidden"
    ]
    return [each for each in errors if not (each["type"] == "missing" and each["loc"] in misspelt)]


def describe_problem(error: Mapping[str, Any]) -> str:
    """Return what is wrong with a field, and what to do."""
    kind = error["type"]
    if kind == "extra_forbidden":
        field_names = _list_fields(error["loc"])
        return f"is no field; {suggest_word(str(error['loc'][-1]), field_names)}known are {', '.join(field_names)}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if error["loc"][-1] == "type" and kind == "missing":
        return (
            "is missing; write proxy where it stands in for what users care about, direct where it measures just that"
        )
    if kind == "missing":
        return "is missing; add it"
    value = _shorten_value(error["input"])
    if error["loc"] == ("objective",) and (part := _read_per_cent(error["input"])):
        return f"{value} will not do: it is a part of all events, between 0 and 1; did you mean {part}?"
    return f"{value} will not do: {error['msg'].lower()}"


def _read_per_cent(value: Any) -> str:
    """Return the part that a number between 1 and 100 or a text such as `95 %` stands for; else nothing."""
    match = re.fullmatch(r"([0-9]{1,2}(?:\.[0-9]+)?)\s*%?", str(value))
    part = Decimal(match[1]) / 100 if match else Decimal(0)
    return f"{part.normalize():f}" if part >= Decimal("0.01") else ""


def _shorten_value(value: Any) -> str:
    """Shorten a value for a message.

    Aliases in YAML can make a small file large beyond measure.
    """
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)[:80]


def _list_fields(path: Sequence[str | int]) -> list[str]:
    """Return the fields of the mapping that a path leads into."""
    if len(path) == 1:
        return list(Slo.model_fields)
    return list((slis.FORMS[str(path[1])] if path[0] == "sli" else Minimum).model_fields)
