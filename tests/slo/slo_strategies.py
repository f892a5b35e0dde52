"""Any objective that the model takes, in each of the three forms of `sli:`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from otel_agentops import slo
from otel_agentops.slo.indicators import BUILT_IN, PARAMETRISED
from otel_agentops.slo.spec import Minimum

ONE = slo.Slo(name="answers", sli="task_completed", objective=0.95, owner="o", runbook="r")


def valid(**field: Any) -> bool:
    try:
        slo.Slo.model_validate({**dict(ONE), **field})
    except ValueError:
        return False
    return True


TEXTS = st.text(min_size=1, max_size=40).filter(lambda text: valid(owner=text))
SERVICES = st.one_of(
    st.sampled_from([".*", "shop", "support-api", "a\\.b"]),
    TEXTS.filter(
        lambda text: "\\" not in text and valid(service=text)
    ),  # not all that RE2 knows is known to the parser
)
VALUES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"], exclude_characters='"\\'), max_size=12)


@st.composite
def used(draw: st.DrawFn) -> dict[str, Any]:
    use = draw(st.sampled_from(sorted(PARAMETRISED)))
    kind = PARAMETRISED[use]
    threshold = draw(st.floats(0.001, kind.most or 1000))
    return {"use": use, "threshold": threshold, "on": draw(st.sampled_from(kind.ons)), "name": f"my_{use}"}


@st.composite
def own(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "name": draw(st.from_regex(r"own_[a-z0-9_]{0,9}", fullmatch=True)),
        "type": draw(st.sampled_from(["proxy", "direct"])),
        "on": draw(st.sampled_from(["tool", "outcome"])),
        "eligible": f'attributes["app.x"] != "{draw(VALUES)}"',
        "bad": f'attributes["app.y"] > {draw(st.integers(0, 9))}',
        "about": draw(TEXTS),
        "labels": draw(st.lists(st.sampled_from(["gen_ai.tool.name", "otel_agentops.task.name"]), unique=True)),
    }


@st.composite
def objectives(draw: st.DrawFn) -> slo.Slo:
    fields = {
        "name": draw(st.from_regex(r"[a-z]([a-z0-9_-]{0,20}[a-z0-9])?", fullmatch=True)),
        "sli": draw(st.sampled_from(sorted(BUILT_IN)) | used() | own()),
        "objective": draw(st.floats(0.21, 1, exclude_max=True)),
        "owner": draw(TEXTS),
        "runbook": draw(TEXTS),
        "service": draw(SERVICES),
        "window": f"{draw(st.integers(7, 90))}d",
        "trip_policy": draw(st.none() | TEXTS),
        "severity": draw(st.sampled_from(["page", "ticket"])),
        "minimum": Minimum(events=draw(st.integers(1, 10**6)), failures=draw(st.integers(1, 10**6))),
    }
    return slo.Slo.model_validate(fields)
