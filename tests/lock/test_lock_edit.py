"""Entries come and go in a file, and everything that people wrote stays where it was."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lock_values import EVIL, values

from otel_agentops._yaml import InputError
from otel_agentops.lock.edit import HEAD, edit_entries
from otel_agentops.lock.model import VARIABLES, Entry, Key
from otel_agentops.lock.text import parse_lock
from rotation import scale_examples

PATH = Path("agentops.lock")
DAY = datetime.date(2026, 11, 24)
BEFORE = """\
# Reviewed by the support team.
version: 1   # of the format

# the models
model:
    # asked for by everybody
    gpt-x:
        - {value: "gpt-x-2026-03-01", owner: anna, date: 2026-11-24}   # the good one
        # a canary
        - value: gpt-x-2026-04-01
          owner: ben
          date: 2026-11-25
          note: >-
            until the numbers
            are in

    # the small one
    gpt-z:
        - { value: gpt-z-1, owner: 'anna', date: 2026-11-24 }

# who judges
judge:
  helpful:
  - {value: r1, owner: anna, date: 2026-11-24}
  - {value: r2, owner: anna, date: 2026-11-24}
# the end
"""
AFTER = """\
# Reviewed by the support team.
version: 1   # of the format

# the models
model:
    # asked for by everybody
    gpt-x:
        - {value: "gpt-x-2026-03-01", owner: anna, date: 2026-11-24}   # the good one
        # a canary
        - value: gpt-x-2026-04-01
          owner: ben
          date: 2026-11-25
          note: >-
            until the numbers
            are in
        - {value: "gpt-x-2026-05-01", service: support, owner: carl, date: 2026-11-24}
    gpt-y:
      - {value: "gpt-y-1", service: support, owner: carl, date: 2026-11-24}
      - {value: "gpt-y-2", service: support, owner: carl, date: 2026-11-24}

    # the small one
    gpt-z:
        - { value: gpt-z-1, owner: 'anna', date: 2026-11-24 }
prompt:
  support/greeting:
    - {value: "0123456789012345", service: support, owner: carl, date: 2026-11-24}

# who judges
judge:
  careful:
    - {value: "r9", service: support, owner: carl, date: 2026-11-24}
  helpful:
  - {value: r1, owner: anna, date: 2026-11-24}
  - {value: r2, owner: anna, date: 2026-11-24}
  - {value: "r3", service: support, owner: carl, date: 2026-11-24}
# the end
"""
PRUNED = """\
# Reviewed by the support team.
version: 1   # of the format

# the models
model:
    # asked for by everybody
    gpt-x:
        - {value: "gpt-x-2026-03-01", owner: anna, date: 2026-11-24}   # the good one


# who judges
judge:
  helpful:
  - {value: r2, owner: anna, date: 2026-11-24}
# the end
"""


def new(variable: str, scope: str, value: str, service: str | None = "support") -> tuple[Key, Entry]:
    return Key(variable, scope, service, value), Entry(value=value, service=service, owner="carl", date=DAY)


ADDED = [
    new("judge", "helpful", "r3"),
    new("model", "gpt-y", "gpt-y-2"),
    new("model", "gpt-y", "gpt-y-1"),
    new("judge", "careful", "r9"),
    new("prompt", "support/greeting", "0123456789012345"),
    new("model", "gpt-x", "gpt-x-2026-05-01"),
]


def test_entries_are_added_in_their_place() -> None:
    assert edit_entries(BEFORE, PATH, ADDED) == AFTER


def test_entries_are_taken_out_with_what_was_said_of_them() -> None:
    gone = [
        Key("model", "gpt-x", None, "gpt-x-2026-04-01"),
        Key("model", "gpt-z", None, "gpt-z-1"),
        Key("judge", "helpful", None, "r1"),
    ]
    assert edit_entries(BEFORE, PATH, [], gone) == PRUNED


def test_a_variable_without_entries_is_taken_out() -> None:
    gone = [key for key, _ in parse_lock(BEFORE, PATH).iterate_entries() if key.variable == "model"]
    start, end = BEFORE.index("# the models"), BEFORE.index("# who judges")
    assert edit_entries(BEFORE, PATH, [], gone) == f"{BEFORE[:start]}\n\n{BEFORE[end:]}", "empty lines are nobody's"


def test_one_goes_and_another_comes() -> None:
    gone = [Key("model", "gpt-z", None, "gpt-z-1")]
    after = edit_entries("version: 1\nmodel:\n  gpt-z:\n    - {value: gpt-z-1, owner: a, date: 2026-11-24}", PATH, [
        new("model", "gpt-z", "gpt-z-2")
    ], gone)  # fmt: skip
    assert after == (
        'version: 1\nmodel:\n  gpt-z:\n    - {value: "gpt-z-2", service: support, owner: carl, date: 2026-11-24}\n'
    )


def test_nothing_to_do_changes_nothing() -> None:
    assert edit_entries(BEFORE, PATH, []) == BEFORE


def test_line_ends_stay_as_they_are() -> None:
    windows = BEFORE.replace("\n", "\r\n")
    assert edit_entries(windows, PATH, ADDED) == AFTER.replace("\n", "\r\n")


@pytest.mark.parametrize("heading", ["model:", "model:   # none yet"])
def test_below_a_heading_without_entries(heading: str) -> None:
    after = edit_entries(f"version: 1\n{heading}\n", PATH, [new("model", "gpt-y", "gpt-y-1", None)])
    assert dict(parse_lock(after, PATH).iterate_entries()) == dict([new("model", "gpt-y", "gpt-y-1", None)])


@pytest.mark.parametrize(
    "flat",
    [
        "version: 1\nmodel: {}\n",
        "version: 1\nmodel: null\n",
        "version: 1\nmodel: {gpt-x: [{value: a, owner: b, date: 2026-11-24}]}\n",
        "version: 1\nmodel:\n  gpt-x: [{value: a, owner: b, date: 2026-11-24}]\n",
    ],
)
def test_what_has_no_lines_is_not_edited(flat: str) -> None:
    with pytest.raises(
        InputError, match=r"agentops\.lock:\d: model: is written in one line; give each scope and entry"
    ):
        edit_entries(flat, PATH, ADDED)


def test_what_is_written_with_anchors_is_not_edited() -> None:
    text = """\
version: 1
model:
  gpt-x: &all
    - {value: a, owner: b, date: 2026-11-24}
  gpt-y: *all
"""
    with pytest.raises(InputError, match=r"agentops\.lock: is written in a way that cannot be edited"):
        edit_entries(text, PATH, [new("model", "gpt-y", "gpt-y-1")])


scopes = st.sampled_from([f"{value}/x" for value in EVIL]) | values.map(lambda text: f"{text}/x")
keys = st.builds(Key, st.sampled_from(VARIABLES), scopes, st.none() | values, st.sampled_from(EVIL) | values)


@settings(max_examples=scale_examples(12), deadline=None)
@given(st.lists(keys, unique=True, max_size=8), st.lists(keys, unique=True, max_size=8), st.data())
def test_any_value_can_be_approved_and_taken_back(first: list[Key], second: list[Key], data: st.DataObject) -> None:
    there = {key: new(*key[:2], key.value, key.service)[1] for key in first}
    more = {key: new(*key[:2], key.value, key.service)[1] for key in second if key not in there}
    gone = data.draw(st.lists(st.sampled_from(first), unique=True)) if first else []
    text = edit_entries(HEAD, PATH, list(there.items()))
    after = edit_entries(text, PATH, list(more.items()), gone)
    assert dict(parse_lock(after, PATH).iterate_entries()) == {
        key: entry for key, entry in {**there, **more}.items() if key not in gone
    }
    assert edit_entries(after, PATH, [], more.keys()) == edit_entries(text, PATH, [], gone)
