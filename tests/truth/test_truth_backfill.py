"""Late labels are where their tasks were: in a file, in a real Prometheus, and in what its rules make of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

import stack
from otel_agentops import slo, truth
from otel_agentops.slo import prometheus as rules

AT = 1_790_000_000  # 2026-09-21T14:13:20Z, a multiple of 20 s, not of 60


def tag_line(task: str, started: int, good: bool, bad: int | None = 0, **attributes: Any) -> dict[str, Any]:
    """A line of the collector's file exporter, behind transform/otel_agentops_sli."""
    said: dict[str, Any] = {
        "otel_agentops.task.id": task,
        "otel_agentops.task.name": "support",
        "otel_agentops.task.started_at": started,
        "otel_agentops.truth.verdict": "good" if good else "bad",
        "otel_agentops.truth.source": "review",
        "otel_agentops.truth.sampling": "random",
        "otel_agentops.sli.task_completed.bad": bad,
        **attributes,
    }
    record = {
        "timeUnixNano": str(AT * 10**9),
        "eventName": "otel_agentops.outcome",
        "attributes": encode(said),
    }
    resource = encode({"service.name": "shop", "deployment.environment.name": "prod"})
    return {"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": [{"logRecords": [record]}]}]}


def encode(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", int: "intValue", float: "doubleValue"}
    return [
        {"key": key, "value": {kinds[type(value)]: str(value) if isinstance(value, int) else value}}
        for key, value in attributes.items()
        if value is not None
    ]


def receipt(**fields: Any) -> dict[str, Any]:
    line = {
        "service": "shop",
        "receipt": {"otel_agentops.task.id": "r1", "otel_agentops.task.started_at": AT},
        "good": False,
        "source": "refund",
        "proxy": {"task_completed": "good"},
        **fields,
    }
    return {key: value for key, value in line.items() if value is not None}


def write_lines(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def run(*arguments: str | Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "otel_agentops.cli", "truth", "backfill", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


COUNTER, INCREASE = "otel_agentops_truth_labels_total", "otel_agentops:truth_labels:increase"


def sample(name: str, verdict: str, value: int, at: int) -> str:
    """A line of the file, of tasks that the proxy judged rightly."""
    task = 'otel_agentops_task_name="support",' if name == COUNTER else ""
    return (
        f'{name}{{deployment_environment_name="prod",instance="may",job="otel-agentops-backfill",'
        f'otel_agentops_sli_name="task_completed",otel_agentops_sli_type="proxy",{task}'
        f'otel_agentops_truth_proxy="{verdict}",otel_agentops_truth_sampling="random",'
        f'otel_agentops_truth_verdict="{verdict}",service_name="shop"}} {value} {at}\n'
    )


WHOLE = (
    "# HELP otel_agentops_truth_labels Number of tasks whose truth became known.\n"
    "# TYPE otel_agentops_truth_labels counter\n"
    + sample(COUNTER, "bad", 0, AT - 55)
    + sample(COUNTER, "bad", 1, AT + 5)
    + sample(COUNTER, "good", 0, AT - 60)
    + sample(COUNTER, "good", 2, AT)
    + sample(COUNTER, "good", 3, AT + 10)
)
BUDGETS = f"# TYPE {INCREASE} gauge\n" + sample(INCREASE, "bad", 1, AT + 40) + sample(INCREASE, "good", 3, AT + 40)
LINES = (
    tag_line("t3", AT + 10, True),
    tag_line("t1", AT, True),
    tag_line("t2", AT, True),
    tag_line("t4", AT + 5, False, bad=1),
    tag_line("t1", AT, True),  # a retry
)


def test_a_file_is_written_whole_and_twice_the_same(tmp_path: Path) -> None:
    source, out = write_lines(tmp_path / "may.jsonl", *LINES), tmp_path / "truth.om"
    assert run(source, "--out", out) == (0, f"{out}: 4 labels\n", "")
    first = out.read_bytes()
    assert first.decode() == f"{WHOLE}{BUDGETS}# EOF\n"
    assert run(source, source, "--out", out)[0] == 0
    assert out.read_bytes() == first, "read twice, each task and source counts once"
    assert run(source, "--out", out, "--counted", "--force")[0] == 0
    assert out.read_text() == f"{WHOLE}# EOF\n"


def test_a_receipt_with_a_verdict(tmp_path: Path) -> None:
    source, out = write_lines(tmp_path / "r.jsonl", receipt(), receipt(source="review", good=True)), tmp_path / "out"
    assert run(source, "--out", out)[0] == 0
    values = [line for line in out.read_text().splitlines() if line.startswith("otel_agentops:")]
    assert [line.rsplit(" ", 2)[1:] for line in values] == [["1", "1790000040"], ["1", "1790000040"]]
    assert all('otel_agentops_truth_sampling="unknown"' in line for line in values), "nobody said that it was random"
    assert all('deployment_environment_name="unknown"' in line for line in values)


def test_the_start_of_a_task_is_found_from_the_delay(tmp_path: Path) -> None:
    line = tag_line("t1", 0, True, **{"otel_agentops.task.started_at": None, "otel_agentops.truth.delay": 3600.0})
    out = tmp_path / "out"
    assert run(write_lines(tmp_path / "d.jsonl", line), "--out", out)[0] == 0
    assert f" 1 {AT - 3600}\n" in out.read_text()


def test_honeycomb(tmp_path: Path) -> None:
    secret = tag_line("t1", AT, False, bad=1, **{"otel_agentops.truth.sampling": "escalated", "question": "who am I"})
    source, out = write_lines(tmp_path / "h.jsonl", secret, secret), tmp_path / "out"
    assert run(source, "--out", out, "--to", "honeycomb")[0] == 0
    (body,) = map(json.loads, out.read_text().splitlines())
    assert body == [
        {
            "time": "2026-09-21T14:13:20.000Z",
            "data": {
                "name": "otel_agentops.outcome",
                "service.name": "shop",
                "deployment.environment.name": "prod",
                "otel_agentops.task.id": "t1",
                "otel_agentops.task.name": "support",
                "otel_agentops.task.started_at": AT,
                "otel_agentops.truth.verdict": "bad",
                "otel_agentops.truth.source": "review",
                "otel_agentops.truth.sampling": "escalated",
                "otel_agentops.sli.task_completed.bad": 1,
            },
        }
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "is no JSON: Expecting property name enclosed in double quotes"),
        ("[]", "is no JSON object; write one a line"),
        ('{"resourceLogs": [1]}', "resourceLogs is not as OTLP-JSON has it; take the file exporter's lines"),
        (receipt(good="no"), "good: write true or false"),
        (receipt(goood=True), "goood: is no field; known are service, environment, receipt, good, source, sampling, "),
        (receipt(receipt=None), "receipt: write what task.receipt() gave"),
        (receipt(service=None), "service: is missing; write a text"),
        (receipt(proxy={"task_completed": 1}), "proxy: write what each indicator had said of the task, as "),
        (receipt(proxy={"mine": "bad"}), "otel_agentops.sli.mine.bad is of no known indicator; give its spec with"),
        (receipt(receipt={}), "otel_agentops.task.started_at is None; without the time of the task, in Unix seconds, "),
        (
            tag_line("t", AT, True, bad=None),
            "has no verdict of an indicator (otel_agentops.sli.….bad); take the lines ",
        ),
        (tag_line("t", AT, True, bad=7), "otel_agentops.sli.task_completed.bad is 7, neither 0 nor 1"),
        (
            tag_line("t", AT, True, **{"otel_agentops.truth.verdict": "so so"}),
            "otel_agentops.truth.verdict is 'so so', neither good nor bad",
        ),
    ],
)
def test_one_sentence(tmp_path: Path, line: dict[str, Any] | str, sentence: str) -> None:
    source = tmp_path / "x.jsonl"
    source.write_text(f"\n{line if isinstance(line, str) else json.dumps(line)}\n")
    with pytest.raises(truth.InputError) as error:
        truth.read_labels([source], slo.BUILT_IN.values())
    assert str(error.value).startswith(f"{source}:2: {sentence}")
    assert "\n" not in str(error.value)


def test_files_without_labels(tmp_path: Path) -> None:
    spans = write_lines(tmp_path / "spans.jsonl", {"resourceSpans": []})
    said = f"otel-agentops truth: {spans}: no label here; nothing is written\n"
    assert run(spans, "--out", tmp_path / "out") == (1, "", said)
    code, _, said = run(tmp_path / "nothing", "--out", tmp_path / "out")
    assert (code, said) == (
        1,
        f"otel-agentops truth: {tmp_path / 'nothing'}: cannot be read: No such file or directory\n",
    )


def test_out_spares_another_file(tmp_path: Path) -> None:
    """The formats have no room for a mark: a file that would change is somebody else's."""
    source, out = write_lines(tmp_path / "w.jsonl", tag_line("t", 1_700_000_000, True)), tmp_path / "mine"
    out.write_text("mine\n")
    said = f"otel-agentops truth: {out}: is there already and says something else; move it away, or use --force\n"
    assert run(source, "--out", out) == (1, "", said)
    assert out.read_text() == "mine\n"
    for _ in range(2):
        assert run(source, "--out", out, "--force") == (0, f"{out}: 1 labels\n", "")
        assert (tmp_path / "mine.bak").read_text() == "mine\n"
    code, _, said = run(source, "--out", out / "below")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith(f"otel-agentops truth: {out / 'below'}: cannot be written: ")


# -- in a real Prometheus


def test_prometheus_has_the_truth_at_the_time_of_the_tasks(prometheus: Path, promtool: Path, tmp_path: Path) -> None:
    """40 labels, one each 45 s from 50 minutes ago on: 10 of 15 are bad where the proxy said bad, 5 of 25 elsewhere.

    The objective's month is 72 minutes here, so that the rules themselves sum what was loaded.
    """
    begin = int(time.time()) // 60 * 60 - 3000
    bad = [number < 15 for number in range(40)]
    true = [number < 10 or number >= 35 for number in range(40)]
    lines = [tag_line(f"t{n}", begin + 45 * n, not true[n], bad=int(bad[n])) for n in range(40)]
    complaint = tag_line("c", begin, False, bad=1, **{"otel_agentops.truth.sampling": "escalated"})
    out = tmp_path / "truth.om"
    code, _, note = run(write_lines(tmp_path / "w.jsonl", *reversed(lines), complaint, *lines), "--out", out)
    assert code == 0
    assert note.startswith("note: some tasks are younger than 3 h")
    blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics", out, tmp_path / "prometheus"]
    subprocess.run(blocks, check=True, capture_output=True)

    one = slo.Slo(name="answers", sli="task_completed", objective=0.95, owner="o", runbook="r")
    (tmp_path / "rules.yaml").write_text(rules.render_rules([one], 600))
    with stack.prometheus([], [tmp_path / "rules.yaml"], tmp_path) as server:
        random = 'otel_agentops_truth_sampling="random"'
        cell = f'{COUNTER}{{otel_agentops_truth_proxy="bad", otel_agentops_truth_verdict="bad", {random}}}'
        for seconds in (0, 100, 405, 600):  # one at 0, 45 … 405
            ((_, value),) = server.query(f"sum({cell})", begin + seconds)
            assert value == min(seconds // 45, 9) + 1
        for start, end in ((0, 600), (600, 3000)):
            expected = sum(start < -(-45 * n // 60) * 60 <= end for n in range(40))
            window = f"sum_over_time({INCREASE}{{{random}}}[{end - start - 1}s])"
            ((_, value),) = server.query(f"sum({window})", begin + end)
            assert value == expected
        server.wait_until(
            lambda: all(server.query(f"otel_agentops:slo_truth:{name}") for name in ("labels", "ppv", "for"))
        )
        assert [value for _, value in server.query("otel_agentops:slo_truth:labels")] == [40]
        assert [value for _, value in server.query("otel_agentops:slo_truth:ppv")] == [pytest.approx(10 / 15)]
        assert [value for _, value in server.query("otel_agentops:slo_truth:for")] == [pytest.approx(5 / 25)]


# -- from a real collector


STORED = """\
exporters:
  file/truth: {{path: {path}}}
service:
  pipelines:
    logs/truth: {{receivers: [otlp], processors: [transform/otel_agentops_sli], exporters: [file/truth]}}
"""


def test_a_file_of_the_collector_says_what_the_collector_counted(otelcol: Path, tmp_path: Path) -> None:
    """Outcome events that nobody has tagged: the collector counts them live, and the back-fill what it has stored."""
    stored = tmp_path / "stored.jsonl"
    (tmp_path / "stored.yaml").write_text(STORED.format(path=stored))
    outcomes = ["completed"] * 5 + ["failed"] * 3 + ["escalated"] * 2
    events = [
        tag_line(f"t{n}", AT + n, n % 3 > 0, bad=None, **{"otel_agentops.task.outcome": outcome})
        for n, outcome in enumerate(outcomes)
    ]
    quick = "yaml:processors::batch/otel_agentops::timeout: 100ms"
    configs = [stack.BASE, stack.OVERLAY, tmp_path / "stored.yaml", quick]
    with stack.collector(configs, tmp_path) as running:
        for event in events:
            httpx.post(f"{running.otlp}/v1/logs", json=event).raise_for_status()
        running.wait_until(lambda: sum(collector_labels(running.scrape()).values()) == len(events))
        live = collector_labels(running.scrape())
        running.wait_until(lambda: stored.exists() and stored.read_text().count("otel_agentops.outcome") >= 10)
    assert run(stored, "--out", tmp_path / "truth.om")[0] == 0
    text = (tmp_path / "truth.om").read_text()
    last = {series: float(value) for series, value in re.findall(rf"^({COUNTER}.*}}) (\d+) \d+$", text, re.MULTILINE)}
    target = re.compile(r'(instance|job)="[^"]*",')
    assert {target.sub("", series): value for series, value in last.items()} == live
    # every third is bad: two of the five that completed, two of the five that did not
    assert sorted(live.values()) == [2, 2, 3, 3]


def collector_labels(samples: Sequence[stack.Sample]) -> dict[str, float]:
    """The collector's labels, as the file writes them."""
    return {
        f"{COUNTER}{{{','.join(f'{key}={json.dumps(one.labels[key])}' for key in sorted(one.labels))}}}": one.value
        for one in samples
        if one.name == COUNTER
    }
