"""A condition is read as a collector reads it; what a collector refuses is refused here, with a column."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_agentops.slo import _ottl
from otel_agentops.slo._ottl import OttlError, Read

GOOD = r"""
attributes["x"] == "y"
not attributes["x"] == 1
not (attributes["x"] == 1)
attributes["x"] != nil and (attributes["y"] > 3 or attributes["z"] <= 0.5)
(1 + 2) * 3 > attributes["x"]
(attributes["a"] + 1) > 2
((attributes["x"]) == 1)
attributes["x"] > 1 / 2 or attributes["x"] -1 > 2
IsMatch(attributes["x"], "^5\\d$")
(IsMatch(attributes["x"], "a")) and true
IsMatch(target=attributes["x"], pattern="a") == true
ContainsValue(["a", "b"], attributes["x"])
Split(attributes["x"], ",")[0] == "a"
attributes["x"]["y"] == 1 or attributes["x"][0] == 1
attributes["x"] == [1, 2] or attributes["x"] == {"a": 1, "b": [2]}
attributes["x"] < -1.5e3 or +1 == attributes["x"] or attributes["x"] == .5 or attributes["x"] == 0x0f
resource.attributes["service.name"] == "a" and scope.name == "b"
span.status.code == STATUS_CODE_ERROR
attributes ["x"]==1and true
attributes["x"] == "${env:HOME} $$ \" \u00e9 \x41"
""".strip().splitlines()

BAD = {
    'attributes["x"]': "a comparison (==, !=, <, <=, >, >=) is wanted, found is the end",
    "attributes[x] == 1": "a key in double quotes is wanted within [ ], found is 'x' at column 12",
    'attributes["x"] = 1': "`=` at column 17 compares nothing; write ==",
    "attributes[\"x\"] == 'y'": '"\'" at column 20 is nothing that a condition knows; write double quotes ("…")',
    'attributes["x"] == 1 && true': "'&' at column 22 is nothing that a condition knows; write `and`",
    'set(attributes["x"], 1)': "set changes data; a condition may call only converters, as IsMatch",
    'attributes["x"] == 1 where true': "`where` belongs to a statement; write the condition that follows it alone",
    'attributes["x"] == "y': 'the string that begins at column 20 has no end; close it with "',
    'attributes["x"] == 1)': "')' at column 21 closes what was not opened",
    '(attributes["x"] == 1': "')' is wanted to close the group, found is the end",
    'attributes["x" == 1': "']' is wanted behind the key, found is '==' at column 16",
    'Int(attributes["x"] > 3': "',' or ')' is wanted within the call of Int, found is '>' at column 21",
    r'IsMatch(attributes["x"], "\d")': r"\d in the string at column 26 is no escape; write \\d",
    'attributes["x"] == True': "True at column 20 is neither a call nor a constant as STATUS_CODE_ERROR",
    r'attributes["x"] == "\ud800"': r"\u in the string at column 20 is no escape; write \\u",
    r'attributes["x"] == "\777"': r"\7 in the string at column 20 is no escape; write \\7",
    r'attributes["x"] == "\U00110000"': r"\U in the string at column 20 is no escape; write \\U",
    "status.code == STATUS_CODE_ERROR": (
        "'status.code' is no path; write attributes[\"…\"], or one that begins with `span.`, `log.`, `resource.`"
    ),
    'attributes["x"] == 1 or': "a value is wanted, found is the end",
    'not not attributes["x"] == 1': "a value is wanted, found is 'not' at column 5",
    'attributes["x"] == 1 == 2': "`and`, `or` or the end is wanted, found is '==' at column 22",
    'attributes["x"] == 1e5': "`and`, `or` or the end is wanted, found is 'e5' at column 21",
    "span.": "a name is wanted behind the dot, found is the end",
    "": "a value is wanted, found is the end",
    "true": "reads nothing of a span or an event, and so says the same of each",
}


MUTILATED = st.builds(
    lambda text, start, end: text[:start] + text[end:], st.sampled_from(GOOD), st.integers(0, 80), st.integers(0, 80)
)


def validate(otelcol: Path, directory: Path, conditions: list[str]) -> int:
    """What a collector says of conditions on spans; a `$` of a config is doubled."""
    config = {
        "receivers": {"otlp": {"protocols": {"http": None}}},
        "processors": {"filter": {"trace_conditions": [text.replace("$", "$$") for text in conditions]}},
        "exporters": {"debug": None},
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "processors": ["filter"], "exporters": ["debug"]}}},
    }
    (directory / "config.json").write_text(json.dumps(config, ensure_ascii=False), "utf-8")
    command = [otelcol, "validate", "--config", directory / "config.json"]
    return subprocess.run(command, capture_output=True, check=False).returncode


@pytest.mark.collector
def test_a_collector_takes_what_is_taken_here(otelcol: Path, tmp_path: Path) -> None:
    for text in GOOD:
        _ottl.parse(text)
    assert validate(otelcol, tmp_path, [_ottl.set_context(text, "span") for text in GOOD]) == 0


@pytest.mark.parametrize("text", BAD)
def test_one_sentence(text: str) -> None:
    with pytest.raises(OttlError) as error:
        _ottl.parse(text)
    assert str(error.value) == BAD[text]


@pytest.mark.collector
def test_a_collector_refuses_what_is_refused_here(otelcol: Path, tmp_path: Path) -> None:
    """One by one, since one that is refused is enough; with the base of a span, so that a context is known."""
    base = 'span.attributes["x"] == 1'
    written = {
        text: text.replace('attributes["', 'span.attributes["') if text.startswith("attributes") else text
        for text in BAD
        if text not in ("", "true")
    }
    taken = [text for text, one in written.items() if validate(otelcol, tmp_path, [base, one]) == 0]
    assert taken == []


def test_what_a_condition_reads() -> None:
    text = (
        'attributes["a"] == "x" or ("y" != span.attributes["b"] and Len(attributes["c"]) > 1) '
        'or attributes["d"]["k"] == "z"'
    )
    a, b, c, d = Read("", "a"), Read("span", "b"), Read("", "c"), Read("", "d")
    assert _ottl.parse(text) == ((a, b, c, d), ((a, "x"), (b, "y")), frozenset({"span"}))
    assert not _ottl.parse(text).is_bare
    assert _ottl.parse('attributes["a"] == nil').is_bare


def test_bare_attributes_are_read_from_a_context() -> None:
    text = 'attributes["a"] == "attributes[\\"b\\"]" and (resource.attributes["c"] == 1 or attributes ["d"] == nil)'
    log = text.replace('attributes["a"]', 'log.attributes["a"]').replace("attributes [", "log.attributes [")
    assert _ottl.set_context(text, "log") == log


@given(st.text(max_size=60) | st.text('attributes["x"]()=<and or1.+-{},\\', max_size=40) | MUTILATED)
@settings(max_examples=300)
def test_any_text_is_a_condition_or_a_sentence(text: str) -> None:
    try:
        _ottl.parse(text)
    except OttlError as error:
        assert str(error)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_text_can_be_compared(value: str) -> None:
    """JSON's escapes are some of Go's, `\\/` is not written, and what is not ASCII becomes \\u."""
    text = f'attributes["x"] == {json.dumps(value, ensure_ascii=False)}'
    assert _ottl.parse(text).compared == ((Read("", "x"), value),)


@pytest.mark.parametrize("deep", ["(" * 5000 + 'attributes["x"] == 1', 'attributes["x"] == ' + "[" * 5000, "-" * 5000])
def test_depth_is_bounded(deep: str) -> None:
    with pytest.raises(OttlError):
        _ottl.parse(deep)


# -- whatever is taken here, a collector takes

PATHS = st.sampled_from(
    ['attributes["a.b"]', 'span.attributes["x"]', 'resource.attributes["y"]', "span.name", 'attributes["l"][0]']
)
LITERALS = st.one_of(
    st.integers(-9, 9).map(str),
    st.sampled_from(
        ["1.5", "-.5", "2.", "1.0e3", "true", "false", "nil", "0xff", "STATUS_CODE_ERROR", '"a\\n\\"b\\\\d"']
    ),
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=6).map(
        lambda text: json.dumps(text, ensure_ascii=False)
    ),
)
# A call's arguments have types, which only a collector knows; IsString takes anything.
VALUES = st.recursive(
    PATHS | LITERALS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        inner.map(lambda part: f'{{"k": {part}}}'),
        PATHS.map(lambda part: f'Concat([{part}], "-")'),
        st.tuples(PATHS, st.sampled_from("+-*/"), st.integers(1, 9)).map(lambda parts: "({} {} {})".format(*parts)),
    ),
    max_leaves=4,
)
COMPARED = st.tuples(PATHS, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), VALUES).map(" ".join)
CONDITIONS = st.recursive(
    COMPARED | PATHS.map(lambda path: f"IsString({path})"),
    lambda inner: st.one_of(
        inner.map(lambda part: f"({part})"),
        inner.map(lambda part: f"not ({part})"),
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map("".join),
    ),
    max_leaves=6,
)


@pytest.mark.collector
@given(st.lists(CONDITIONS, min_size=30, max_size=30))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_conditions_at_random(otelcol: Path, conditions: list[str]) -> None:
    for text in conditions:
        _ottl.parse(text)
    with TemporaryDirectory() as directory:
        assert validate(otelcol, Path(directory), [_ottl.set_context(text, "span") for text in conditions]) == 0
