"""The schema allows what the model allows, and refuses all that a schema can."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from otel_agentops import slo
from otel_agentops.slo import schema
from otel_agentops.written_files import is_current
from stack import ROOT

COMMITTED = ROOT / "slo" / "schema.json"
VALIDATOR = jsonschema.Draft202012Validator(schema.build_schema())
OWN = {
    "name": "empty_search",
    "type": "proxy",
    "on": "tool",
    "eligible": 'attributes["gen_ai.tool.name"] == "search"',
    "bad": 'attributes["app.hits"] == 0',
    "about": "searches that found nothing",
    "labels": ["gen_ai.tool.name"],
}
WHOLE = {
    "name": "answers",
    "sli": "task_completed",
    "objective": 0.95,
    "owner": "o",
    "runbook": "r",
    "service": "support-.*",
    "window": "28d",
    "trip_policy": "t",
    "severity": "ticket",
    "minimum": {"events": 50, "failures": 5},
}
SLIS = ["tool_success", {"use": "latency", "threshold": 8, "name": "slow", "on": "task"}, OWN]


def test_the_committed_schema_is_that_of_the_model() -> None:
    assert is_current(COMMITTED, schema.render_schema())
    jsonschema.Draft202012Validator.check_schema(json.loads(COMMITTED.read_text("utf-8")))


@pytest.mark.parametrize("file", sorted((ROOT / "slo").glob("*.yaml")), ids=lambda file: file.name)
def test_the_projects_own_objectives(file: Any) -> None:
    VALIDATOR.validate(YAML(typ="safe").load(file))


def test_every_field_says_what_it_is_for() -> None:
    made = schema.build_schema()
    fields = [made, *made["$defs"].values()]
    assert [name for each in fields for name, said in each["properties"].items() if not said.get("description")] == []


@pytest.mark.parametrize("sli", SLIS, ids=["name", "use", "own"])
def test_whole_specs(sli: Any) -> None:
    VALIDATOR.validate(WHOLE | {"sli": sli})


@pytest.mark.parametrize(
    "wrong",
    [
        {"sli": "task_complete"},
        {"sli": {"use": "latncy", "threshold": 8}},
        {"sli": {"use": "latency", "threshold": -1}},
        {"sli": {"use": "latency", "threshold": "8s"}},
        {"sli": {key: value for key, value in OWN.items() if key != "type"}},
        {"sli": OWN | {"type": "quality"}},
        {"sli": OWN | {"labels": ["otel_agentops.task.id"]}},
        {"objective": 95},
        {"objective": "95%"},
        {"window": "3d"},
        {"window": "4w"},
        {"owner": " "},
        {"ownr": "o"},
        {"severity": "sms"},
        {"minimum": {"events": 0}},
        {"name": "My Answers"},
    ],
    ids=str,
)
def test_refused(wrong: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(WHOLE | wrong)
    with pytest.raises(ValidationError):
        slo.Slo.model_validate(WHOLE | wrong)


# What a schema cannot say, as the model says it.
BEYOND = (
    "has the control character", "is no regular expression", "uses lookaround", "is no condition", "is no attribute",
    "is never", "is another built-in", "needs a threshold", "is missing; only the team", "counts no", "is above",
    "is that of another built-in", "is a built-in indicator", "on every point already", "names one twice", "reads `",
    "is empty; fill it in", "is no name", "should be a valid integer", "is no number of days",
)  # fmt: skip
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 100), st.floats(), st.text(max_size=8), st.builds(list), st.builds(dict),
    st.sampled_from(["30d", "007d", "page", "latency", "tool_success", "span", 'attributes["x"] == 1']),
    st.lists(st.sampled_from(["gen_ai.tool.name", "service.name", "x"]), max_size=5),
)  # fmt: skip


@st.composite
def candidates(draw: st.DrawFn) -> dict[str, Any]:
    """A whole spec with something left out, added or replaced by what is odd there, at any depth."""
    made = deepcopy(WHOLE | {"sli": draw(st.sampled_from(SLIS))})
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.sampled_from([made, *(each for each in made.values() if isinstance(each, dict))]))
        key = draw(st.sampled_from([*at, "extra"]))
        if draw(st.booleans()):
            at[key] = draw(ODD)
        else:
            at.pop(key, None)
    return made


@given(candidates())
@settings(max_examples=300, deadline=None)
def test_schema_and_model_agree(candidate: dict[str, Any]) -> None:
    try:
        slo.Slo.model_validate(candidate)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        assert not VALIDATOR.is_valid(candidate) or any(words in said for words in BEYOND), said
    else:
        assert list(VALIDATOR.iter_errors(candidate)) == []
