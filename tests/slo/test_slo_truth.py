"""The corrected error is the true one where labels are random and late: a simulation, through the rules themselves."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from slo_promtool import check_story

from otel_agentops import slo
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import ground_truth, prometheus

ONE = slo.Slo(name="answers", sli="task_completed", objective=0.95, owner="o", runbook="r")
RUNS, TASKS, MINUTES = 40, 3000, 60
# 8 of 100 tasks are bad. The proxy finds 60 % of them, and calls 10 % of the good ones bad: it says 14 of 100.
TRUE, FOUND, FALSE = 0.08, 0.6, 0.1
SAID = TRUE * FOUND + (1 - TRUE) * FALSE


class Task(NamedTuple):
    minute: int
    bad: bool
    proxy: bool
    labelled: Mapping[str, int]  # sampling to the minute at which the label came


def tasks(chance: random.Random) -> Iterator[Task]:
    """One in three gets a label by chance, half an hour later on average. Who is served badly complains more often."""
    for number in range(TASKS):
        minute = 5 + number * (MINUTES - 10) // TASKS
        bad = chance.random() < TRUE
        proxy = chance.random() < (FOUND if bad else FALSE)
        labelled = {}
        if chance.random() < 1 / 3:
            labelled["random"] = minute + round(chance.expovariate(1 / 30))
        if chance.random() < (0.5 if bad else 0.02):
            labelled["escalated"] = minute + round(chance.expovariate(1 / 30))
        yield Task(minute, bad, proxy, labelled)


def word(bad: bool) -> str:
    return "bad" if bad else "good"


def counted(run: Sequence[Task], escalated_as: str) -> dict[tuple[str, tuple[str, ...]], Counter[int]]:
    """Metric and labels to how often, in which minute. Only what came until the end is known."""
    found: dict[tuple[str, tuple[str, ...]], Counter[int]] = {}
    for task in run:
        found.setdefault((M.SLI_EVENTS, ()), Counter())[task.minute] += 1
        found.setdefault((M.SLI_BAD, ()), Counter())[task.minute] += task.proxy
        for sampling, minute in task.labelled.items():
            if escalated_as == "random" and sampling == "random":
                continue  # the team that labels nothing but complaints, and calls it a sample
            cell = (word(task.proxy), word(task.bad), escalated_as if sampling == "escalated" else sampling)
            found.setdefault((M.TRUTH_LABELS, cell), Counter())[minute] += 1
    return found


def series(service: str, run: Sequence[Task], escalated_as: str = "escalated") -> Iterator[dict[str, str]]:
    for (metric, cell), times in counted(run, escalated_as).items():
        labels = {A.SERVICE_NAME: service, A.SLI_NAME: "task_completed", A.SLI_TYPE: "proxy"}
        labels |= dict(zip((A.TRUTH_PROXY, A.TRUTH_VERDICT, A.TRUTH_SAMPLING), cell, strict=False))
        pairs = ", ".join(f'{name.replace(".", "_")}="{value}"' for name, value in labels.items())
        total, values = 0, []
        for minute in range(MINUTES + 1):
            total += times[minute]
            values.append(str(total) if total else "_")
        name = M.METRICS[metric].prometheus
        yield {"series": f'{name}{{job="otelcol", instance="c", {pairs}}}', "values": " ".join(values)}


def evaluated(promtool: Path, directory: Path, inputs: Sequence[dict[str, str]], true: Sequence[str]) -> None:
    """Whether each expression is true at the end, by promtool."""
    content = prometheus.build_rules([ONE])
    kept = [group for group in content["groups"] if group["name"] in ("otel_agentops_sli", "otel_agentops_budget")]
    tests = [
        {"expr": f"vector(1) and ({each})", "eval_time": f"{MINUTES}m", "exp_samples": [ONE_SAMPLE]} for each in true
    ]
    story = {"interval": "1m", "input_series": [UP, *inputs], "promql_expr_test": tests}
    check_story(promtool, directory, kept, story, every="1m")


ONE_SAMPLE = {"labels": "{}", "value": 1}
UP = {"series": 'up{job="otelcol", instance="c"}', "values": f"1x{MINUTES}"}


def near(series_: str, value: float, errors: float = 3) -> str:
    """The mean over the runs is no farther from a value than its standard error allows."""
    return f"abs(avg({series_}) - {value}) <= {errors} * stddev({series_}) / sqrt(count({series_}))"


def test_the_corrected_error_is_unbiased(promtool: Path, tmp_path: Path) -> None:
    runs = [list(tasks(random.Random(seed))) for seed in range(RUNS)]
    inputs = [each for number, run in enumerate(runs) for each in series(f"sampled-{number}", run)]
    # the same tasks where a team labels complaints and calls them a random sample
    inputs += [each for number, run in enumerate(runs[:10]) for each in series(f"complaints-{number}", run, "random")]
    sampled, complaints = (
        f'otel_agentops:slo_corrected:error{{service_name=~"{each}-.*"}}' for each in ("sampled", "complaints")
    )
    said = 'otel_agentops:slo_error:ratio{service_name=~"sampled-.*"}'
    bounds = (f'otel_agentops:slo_corrected:error_{end}{{service_name=~"sampled-.*"}}' for end in ("low", "high"))
    low, high = bounds
    evaluated(
        promtool,
        tmp_path,
        inputs,
        [
            f"count({sampled}) == {RUNS}",
            near(sampled, TRUE),
            # the proxy itself is biased, in the same runs
            near(said, SAID),
            f"min({said}) > {TRUE}",
            f"abs(avg({sampled}) - {TRUE}) < 0.003",
            # an interval of 95 % has the truth in 38 of 40; three standard deviations less is 33
            f"count({low} < {TRUE} and {high} > {TRUE}) >= 33",
            # and says something: it is no wider than 8 points
            f"max({high} - {low}) < 0.08",
            # what complaints would say: three times the truth
            f"min({complaints}) > {2 * TRUE}",
        ],
    )


def test_nothing_is_computed_from_complaints(promtool: Path, tmp_path: Path) -> None:
    run = [
        task._replace(labelled={name: at for name, at in task.labelled.items() if name == "escalated"})
        for task in tasks(random.Random(1))
    ]
    assert sum(len(task.labelled) for task in run) > 100
    unknown = 'absent({__name__=~".*:slo_(corrected:.*|truth:(ppv|for|labels|cell).*)"})'
    evaluated(promtool, tmp_path, list(series("shop", run)), [unknown, "sum(otel_agentops:slo_truth:coverage) > 0.02"])


@pytest.mark.parametrize(
    ("objective", "good"), [(0.5, 10), (0.9, 10), (0.95, 20), (0.99, 100), (0.999, 1000), (0.9999, 10000)]
)
def test_labels_that_a_row_needs(objective: float, good: int) -> None:
    one = ONE.model_copy(update={"objective": objective})
    assert (ground_truth.count_needed_labels(one, "bad"), ground_truth.count_needed_labels(one, "good")) == (10, good)


def test_a_proxy_that_no_label_can_be_held_against_says_so() -> None:
    one = ONE.model_copy(update={"sli": "valid_output"})
    made = prometheus.render_rules([one])
    assert "slo_truth" not in made
    assert "slo_corrected" not in made
    assert made.count("truth: No label of a task can say how often it is right.") == 2
    assert ground_truth.list_incomparable([one, ONE]) == [
        "answers: valid_output is a proxy that reads more than an outcome event carries: no label can be held "
        "against it, and its budget is never corrected"
    ]


def test_what_is_direct_needs_no_truth() -> None:
    made = prometheus.render_rules([ONE.model_copy(update={"sli": "tool_success"})])
    assert "slo_truth" not in made
    assert "slo_corrected" not in made
