"""Sampling before the counting biases every number, and sampling before the tags cannot read them."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.collector.document import is_ours
from otel_agentops.collector.situation import COUNTING, PIPELINES, Situation, kind, names
from otel_agentops.doctor import UNBIASED, Finding

SAMPLERS = frozenset({"probabilistic_sampler", "tail_sampling"})
HOLDERS = SAMPLERS | {"batch", "groupbytrace"}


def head(found: Situation) -> Iterator[Finding]:
    """A sampler in the application drops spans before a collector sees them."""
    sampler = found.environ.get("OTEL_TRACES_SAMPLER", "parentbased_always_on").strip().lower()
    if sampler in UNBIASED:
        return
    if sampler.endswith("always_off"):
        text = f"OTEL_TRACES_SAMPLER={sampler}: no span leaves the application, nothing is counted"
        yield Finding("problem", "environment", text, "unset it")
        return
    share = _ratio(found.environ.get("OTEL_TRACES_SAMPLER_ARG", "1")) if "traceidratio" in sampler else None
    if share == 1:
        return
    advice = "unset it, and sample behind the counting: otel-agentops collector merge --with tail-sampling"
    text = f"OTEL_TRACES_SAMPLER={sampler} drops spans before they are counted: no budget is exact"
    if share is not None:
        text = f"OTEL_TRACES_SAMPLER={sampler} with {share:g}: {bias(share)}"
    yield Finding("warning", "environment", text, advice)


def bias(share: float) -> str:
    """What a ratio of kept traces means for what is rare."""
    if not share:
        return "no trace is kept, nothing is counted"
    unseen = ", ".join(f"{count} failure{'s'[: count > 1]} {(1 - share) ** count:.0%}" for count in (1, 5, 20))
    return (
        f"1 of {1 / share:.3g} traces is counted. The share of failures is right on average, but the chance to see "
        f"none is, for {unseen}. Alerts that need a number of events need {1 / share:.3g} times the traffic, and "
        "evaluations and outcomes, which are not sampled, have tasks that nobody counted"
    )


def before_counting(found: Situation) -> Iterator[Finding]:
    """A connector may be the overlay's receiver, and a sampler may stand before it."""
    for receiver in names(found.pipelines().get(COUNTING, {}), "receivers"):
        for id_, pipeline in found.pipelines().items():
            if receiver in names(pipeline, "exporters") and receiver in found.section("connectors"):
                for sampler in (one for one in names(pipeline, "processors") if kind(one) in SAMPLERS):
                    text = f"{sampler} in {id_} drops spans before {receiver} hands them to the counting"
                    where = found.at(*PIPELINES, id_, "processors")
                    yield Finding("warning", where, text, "let the overlay read from the receiver of that pipeline")


def before_tags(found: Situation) -> Iterator[Finding]:
    """In the user's own pipelines: what decides or hands over before the tags are there."""
    for id_, pipeline in found.pipelines().items():
        if is_ours(id_) or not id_.startswith(("traces", "logs")):
            continue
        processors = names(pipeline, "processors")
        tagged = next((n for n, one in enumerate(processors) if one.startswith("transform/otel_agentops")), None)
        early = [one for one in processors[:tagged] if kind(one) in HOLDERS]
        where = found.at(*PIPELINES, id_, "processors")
        sampler = next((one for one in early if kind(one) in SAMPLERS), None)
        if tagged is None and sampler:
            text = f"{sampler} in {id_} decides without the tags: incident traces are dropped like any other"
            yield Finding("warning", where, text, "otel-agentops collector merge puts the tags before it")
        elif tagged is not None and early:
            text = f"{early[0]} stands before the tags in {id_}, and does not see them"
            yield Finding("warning", where, text, f"move {processors[tagged]} before {early[0]}")


def _ratio(text: str) -> float | None:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return None
