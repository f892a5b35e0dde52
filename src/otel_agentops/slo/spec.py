"""What a team promises: one service level objective per YAML file, or one sentence that says what is wrong with it.

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
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from otel_agentops.slo.indicators import BUILT_IN, Indicator


class SpecError(Exception):
    """One sentence that names file, line and field and says what to do."""


def _sli(name: str) -> str:
    if name not in BUILT_IN:
        raise ValueError(f"{name!r} is no service level indicator; take one of {', '.join(sorted(BUILT_IN))}")
    return name


def _service(pattern: str) -> str:
    # Prometheus has RE2: no lookaround, no backreference. Python would accept both.
    if re.search(r"\(\?(?![:i])|\\[1-9]", pattern):
        raise ValueError(
            f"{pattern!r} uses lookaround, a named group or a backreference, which Prometheus does not know"
        )
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    return pattern


def _window(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,3}d", text):
        raise ValueError(f"{text!r} is no number of days; write for instance 30d")
    if not 7 <= int(text[:-1]) <= 90:
        raise ValueError(f"{text!r} is not between 7d and 90d; the slowest alert looks at 3 days")
    return text


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", text):
        raise ValueError(f"{text!r} is no name; take a-z, 0-9, - and _, at most 63 of them, a letter first")
    return text


def _text(text: str) -> str:
    """On one line; neither YAML nor a query can hold a control character."""
    line = " ".join(text.split())
    if not line:
        raise ValueError("is empty; fill it in")
    if unprintable := [letter for letter in line if unicodedata.category(letter) in ("Cc", "Cs")]:
        raise ValueError(f"has the control character {unprintable[0]!r}; take it out")
    return line


Text = Annotated[str, AfterValidator(_text)]


class Minimum(BaseModel):
    """What the long window of an alert must hold before a ratio over it means anything."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    events: int = Field(default=20, ge=1)
    failures: int = Field(default=3, ge=1)


class Slo(BaseModel):
    """A service level objective. service: an exact name, or a regular expression of the whole name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, AfterValidator(_name)]
    sli: Annotated[str, AfterValidator(_sli)]
    objective: float = Field(gt=0, lt=1)
    owner: Text
    runbook: Text
    service: Annotated[Text, AfterValidator(_service)] = ".*"
    window: Annotated[str, AfterValidator(_window)] = "30d"
    trip_policy: Text | None = None
    severity: Literal["page", "ticket"] = "page"
    minimum: Minimum = Minimum(events=20, failures=3)

    @property
    def indicator(self) -> Indicator:
        """What is counted."""
        return BUILT_IN[self.sli]

    @property
    def budget(self) -> Decimal:
        """The part of the events that may be bad, without the noise of binary fractions."""
        return 1 - Decimal(repr(self.objective))


def load(path: Path | str) -> list[Slo]:
    """The objectives of a file, or of every `*.yaml` of a directory, by name. Raises SpecError."""
    path = Path(path)
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise SpecError(f"{path}: no *.yaml here; write a first objective, docs/slo.md shows one")
    slos = [_read(file) for file in files]
    _refuse_twins(slos, files)
    return sorted(slos, key=lambda slo: slo.name)


def _refuse_twins(slos: Sequence[Slo], files: Sequence[Path]) -> None:
    twins = [name for name, times in Counter(slo.name for slo in slos).items() if times > 1]
    if twins:
        where = ", ".join(str(file) for slo, file in zip(slos, files, strict=True) if slo.name == twins[0])
        raise SpecError(f"{where}: name: {twins[0]!r} is taken more than once; give each objective its own")


def _read(file: Path) -> Slo:
    content = _parse(file)
    if not isinstance(content, CommentedMap):
        raise SpecError(f"{file}:1: is no mapping of fields; write some (name, sli, objective, owner, runbook)")
    try:
        return Slo.model_validate(content)
    except ValidationError as error:
        raise SpecError(_sentence(file, content, error.errors()[0])) from None


def _parse(file: Path) -> Any:
    try:
        return YAML().load(file)
    except OSError as error:
        raise SpecError(f"{file}: cannot be read: {error.strerror}") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{file}:{line}: is no YAML: {error.problem}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{file}: is no YAML: {' '.join(str(error).split())}") from None


def _sentence(file: Path, content: Any, error: Mapping[str, Any]) -> str:
    """file:line: field: what is wrong."""
    path = [str(part) for part in error["loc"]]
    return f"{file}:{_line(content, path)}: {'.'.join(path)}: {_problem(error)}"


def _line(node: Any, path: Sequence[str]) -> int:
    """The line of a field; of the mapping that lacks it, where it is missing."""
    line = int(node.lc.line)
    for key in path:
        if not isinstance(node, CommentedMap) or key not in node:
            break
        line = int(node.lc.key(key)[0])
        node = node[key]
    return line + 1


def _problem(error: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        known = Slo.model_fields if len(error["loc"]) == 1 else Minimum.model_fields
        return f"is no field; known are {', '.join(known)}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return "is missing; add it" if kind == "missing" else f"{error['input']!r} will not do: {error['msg'].lower()}"
