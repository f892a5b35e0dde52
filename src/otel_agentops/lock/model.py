"""An approved value: its scope and service, who answers for it and since when.

version: 1
model:                          # a variable
  gpt-x:                        # a scope, spelled as `scope` in the rules
    - {value: "gpt-x-2026-03-01", service: support, owner: anna, date: 2026-11-24}
"""

from __future__ import annotations

import datetime
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

# They part the values in the collector's fragment. A name of a service, a scope or a value never holds one.
RECORD, UNIT = "\x1e", "\x1f"


Value = TypeVar("Value")


class Key(NamedTuple):
    """An approved value; its service is None if it is approved for every service."""

    variable: str
    scope: str
    service: str | None
    value: str


def _check_value(text: str) -> str:
    """Return a value as it is on a span, whatever is in it."""
    if not text:
        raise ValueError("is empty; an unknown value cannot be approved")
    if RECORD in text or UNIT in text:
        raise ValueError(f"{text!r} holds U+001E or U+001F, which part the values in the collector; leave it out")
    if any(unicodedata.category(letter) == "Cs" for letter in text):
        raise ValueError(f"{text!r} holds half of a surrogate pair, which no span can carry; leave it out")
    return text


def _require_text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; fill it in")
    return text


def _parse_date(value: Value) -> Value | datetime.date:
    """Return a date that was written with quotes or without."""
    if isinstance(value, str):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is no date; write for instance 2026-11-24") from None
    return value


def _require_task_and_prompt(scopes: dict[str, Value]) -> dict[str, Value]:
    if wrong := [scope for scope in scopes if "/" not in scope]:
        raise ValueError(f"{wrong[0]!r} is no task/prompt; write `unknown` for the half that has no name")
    return scopes


ApprovedText = Annotated[str, AfterValidator(_check_value)]
RequiredText = Annotated[str, AfterValidator(_require_text)]
Day = Annotated[datetime.date, BeforeValidator(_parse_date)]


class Entry(BaseModel):
    """One approved value; `until` is the last day on which it is approved."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    value: ApprovedText
    service: ApprovedText | None = None
    owner: RequiredText
    date: Day
    until: Day | None = None
    note: str | None = None


Entries = Annotated[list[Entry], Field(min_length=1)]
# A heading with nothing below it is one without scopes.
Scopes = Annotated[dict[ApprovedText, Entries], BeforeValidator(lambda value: {} if value is None else value)]


class Lock(BaseModel):
    """The approved values of each variable by scope, in the order of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal[1]
    model: Scopes = Field(default={}, description="Model ids that may answer, by the id that is asked for.")
    prompt: Annotated[Scopes, AfterValidator(_require_task_and_prompt)] = Field(
        default={}, description="Prompt hashes, by task/prompt."
    )
    tools: Scopes = Field(default={}, description="Hashes of the set of tools that is offered, by task.")
    tool: Scopes = Field(default={}, description="Hashes of one tool's schema, by tool.")
    index: Scopes = Field(default={}, description="Versions of a retrieval index, by index.")
    judge: Scopes = Field(default={}, description="Revisions of a judge, by judge.")

    @model_validator(mode="after")
    def _refuse_twins(self) -> Lock:
        twins = [key for key, times in Counter(key for key, _ in self.iterate_entries()).items() if times > 1]
        if twins:
            key = twins[0]
            raise ValueError(f"{key.variable}: {key.scope}: {key.value!r} is approved more than once; keep one")
        return self

    def get_scopes(self, variable: str) -> dict[str, list[Entry]]:
        """Return the entries of a variable by scope."""
        scopes: dict[str, list[Entry]] = getattr(self, variable)
        return scopes

    def iterate_entries(self) -> Iterator[tuple[Key, Entry]]:
        """Yield every entry and what it approves."""
        for variable in VARIABLES:
            for scope, entries in self.get_scopes(variable).items():
                for entry in entries:
                    yield Key(variable, scope, entry.service, entry.value), entry


VARIABLES = tuple(name for name in Lock.model_fields if name != "version")
