"""Checks of sampling: before the counting it biases every number, before the tags it cannot read them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from otel_agentops.collector.document import is_ours
from otel_agentops.collector.situation import COUNTING, PIPELINES, Situation, get_type, list_names
from otel_agentops.doctor import UNBIASED, Finding

SAMPLERS = frozenset({"probabilistic_sampler", "tail_sampling"})
HOLDERS = SAMPLERS | {"batch", "groupbytrace"}


def check_head_sampler(situation: Situation) -> Iterator[Finding]:
    """Find a sampler in the application, which drops spans before a collector sees them."""
    sampler = situation.environ.get("OTEL_TRACES_SAMPLER", "parentbased_always_on").strip().lower()
    if sampler in UNBIASED:
        return
    if sampler.endswith("always_off"):
        text = f"OTEL_TRACES_SAMPLER={sampler}: no span leaves the application, nothing is counted"
        yield Finding("problem", "environment", text, "unset it")
        return
    ratio = situation.environ.get("OTEL_TRACES_SAMPLER_ARG", "1")
    share = None
    if "traceidratio" in sampler:
        with contextlib.suppress(ValueError):
            share = min(max(float(ratio), 0.0), 1.0)
    if share == 1:
        return
    advice = "unset it, and sample behind the counting: otel-agentops collector merge --with tail-sampling"
    text = f"OTEL_TRACES_SAMPLER={sampler} drops spans before they are counted: no budget is exact"
    if share is not None:
        text = f"OTEL_TRACES_SAMPLER={sampler} with {share:g}: {describe_bias(share)}"
    yield Finding("warning", "environment", text, advice)


def describe_bias(share: float) -> str:
    """Say what a share of kept traces means for what is rare."""
    if not share:
        return "no trace is kept, nothing is counted"
    unseen = ", ".join(f"{count} failure{'s'[: count > 1]} {(1 - share) ** count:.0%}" for count in (1, 5, 20))
    return (
        f"1 of {1 / share:.3g} traces is counted. The share of failures is right on average, but the chance to see "
        f"none is, for {unseen}. Alerts that need a number of events need {1 / share:.3g} times the traffic, and "
        "evaluations and outcomes, which are not sampled, have tasks that nobody counted"
    )


def check_before_counting(situation: Situation) -> Iterator[Finding]:
    """Find a sampler before a connector from which the overlay receives."""
    for receiver in list_names(situation.get_pipelines().get(COUNTING, {}), "receivers"):
        for id_, pipeline in situation.get_pipelines().items():
            if receiver in list_names(pipeline, "exporters") and receiver in situation.get_section("connectors"):
                for sampler in (one for one in list_names(pipeline, "processors") if get_type(one) in SAMPLERS):
                    text = f"{sampler} in {id_} drops spans before {receiver} hands them to the counting"
                    where = situation.locate(*PIPELINES, id_, "processors")
                    yield Finding("warning", where, text, "let the overlay read from the receiver of that pipeline")


def check_before_tags(situation: Situation) -> Iterator[Finding]:
    """Find, in the user's own pipelines, what decides or hands over before the tags are there."""
    for id_, pipeline in situation.get_pipelines().items():
        if is_ours(id_) or not id_.startswith(("traces", "logs")):
            continue
        processors = list_names(pipeline, "processors")
        first_tag = next((n for n, one in enumerate(processors) if one.startswith("transform/otel_agentops")), None)
        early = [one for one in processors[:first_tag] if get_type(one) in HOLDERS]
        where = situation.locate(*PIPELINES, id_, "processors")
        sampler = next((one for one in early if get_type(one) in SAMPLERS), None)
        if first_tag is None and sampler:
            text = f"{sampler} in {id_} decides without the tags: incident traces are dropped like any other"
            yield Finding("warning", where, text, "otel-agentops collector merge puts the tags before it")
        elif first_tag is not None and early:
            text = f"{early[0]} stands before the tags in {id_}, and does not see them"
            yield Finding("warning", where, text, f"move {processors[first_tag]} before {early[0]}")
