"""A lock file is read whole, or one sentence says which line is wrong and what to do."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from otel_agentops import lock
from otel_agentops.lock.model import Key

WHOLE = """\
# reviewed by the support team
version: 1
model:
  gpt-x:
    - {value: gpt-x-2026-03-01, owner: anna, date: 2026-11-24}  # everybody
    - value: "gpt-x-2026-04-01"
      service: support
      owner: ben
      date: "2026-11-25"
      until: 2026-12-31
      note: a canary
prompt:
  support/greeting:
    - {value: "1234567890123456", service: support, owner: anna, date: 2026-11-24}
tools:
"""


def test_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "agentops.lock").write_text(WHOLE)
    day = datetime.date(2026, 11, 24)
    read = lock.load(tmp_path / "agentops.lock")
    canary = lock.Entry(
        value="gpt-x-2026-04-01",
        service="support",
        owner="ben",
        date=day + datetime.timedelta(1),
        until=datetime.date(2026, 12, 31),
        note="a canary",
    )
    assert dict(read.iterate_entries()) == {
        Key("model", "gpt-x", None, "gpt-x-2026-03-01"): lock.Entry(value="gpt-x-2026-03-01", owner="anna", date=day),
        Key("model", "gpt-x", "support", "gpt-x-2026-04-01"): canary,
        Key("prompt", "support/greeting", "support", "1234567890123456"): lock.Entry(
            value="1234567890123456", service="support", owner="anna", date=day
        ),
    }


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("version: 1", "version: 2", "2: version: 2 will not do: input should be 1"),
        ("version: 1\n", "", "2: version: is missing; add it"),
        ("model:", "models:", "3: models: is not known; known are version, model, prompt, tools, tool, index, judge"),
        ("owner: anna", "ownr: anna", "5: model: gpt-x: owner: is missing; add it"),
        (
            "note: a",
            "why: a",
            "11: model: gpt-x: why: is not known; known are value, service, owner, date, until, note",
        ),
        ("owner: ben", "owner: ' '", "8: model: gpt-x: owner: is empty; fill it in"),
        ("owner: ben", "owner: 7", "8: model: gpt-x: owner: 7 is read as int; put it in quotes"),
        (
            '"1234567890123456"',
            "1234567890123456",
            "14: prompt: support/greeting: value: 1234567890123456 is read as int; put it in quotes",
        ),
        (
            '"1234567890123456"',
            '""',
            "14: prompt: support/greeting: value: is empty; an unknown value cannot be approved",
        ),
        (
            '"1234567890123456"',
            '"a\\u001fb"',
            "14: prompt: support/greeting: value: 'a\\x1fb' holds U+001E or U+001F, which part the values in the "
            "collector; leave it out",
        ),
        (
            "until: 2026-12-31",
            "until: soon",
            "10: model: gpt-x: until: 'soon' is no date; write for instance 2026-11-24",
        ),
        (
            "support/greeting",
            "greeting",
            "12: prompt: 'greeting' is no task/prompt; write `unknown` for the half that has no name",
        ),
        ("gpt-x:\n", "gpt-x: []\n  gpt-y:\n", "4: model: gpt-x: [] will not do: list should have at least 1 item "),
        (
            '"gpt-x-2026-04-01"\n      service: support',
            "gpt-x-2026-03-01",
            "2: model: gpt-x: 'gpt-x-2026-03-01' is approved more than once; keep one",
        ),
        ("gpt-x:", "7:", "4: model: 7 is read as int; put it in quotes"),
        ("owner: ben", "owner: ben: x", "8: is no YAML: mapping values are not allowed here"),
        (
            "prompt:",
            "model:",
            '12: is no YAML: found duplicate key "model" with value "',
        ),
        (WHOLE, "- 1\n", "1: is no mapping; write `version: 1` and, below it, the variables"),
        (WHOLE, "", "1: is no mapping; write `version: 1` and, below it, the variables"),
        (
            "date: 2026-11-24}  #",
            "date: 2026-11-31}  #",
            "5: model: gpt-x: date: '2026-11-31' is no date; write for instance 2026-11-24",
        ),
    ],
)
def test_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    path = tmp_path / "agentops.lock"
    assert old in WHOLE
    path.write_text(WHOLE.replace(old, new, 1))
    with pytest.raises(lock.InputError) as error:
        lock.load(path)
    said = str(error.value)
    assert said.startswith(f"{path}:{sentence}")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "cannot be read: No such file or directory"), (b"\xff", "is no UTF-8: invalid start byte at byte 0")],
)
def test_a_file_that_is_none(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "agentops.lock"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(lock.InputError) as error:
        lock.load(path)
    assert str(error.value) == f"{path}: {sentence}"
