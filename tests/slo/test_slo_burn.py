"""A quarter of the answers turns bad: a page within 15 minutes; an eighth: within 30; a first hour has no ticket."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

from bench.detect.world import write_json

from otel_agentops import slo
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule
from otel_agentops.slo.prometheus.burn import build_burn_rules
from otel_agentops.slo.prometheus.ratios import build_ratio_rules, build_usual_rules

ONSET, MENDED, END = 120, 180, 200  # minutes
PROMISES = (("answers", "task_completed", 0.95), ("tools", "tool_success", 0.9))
SLOS = [slo.Slo(name=name, sli=sli, objective=objective, owner="o", runbook="r") for name, sli, objective in PROMISES]
Part = Callable[[int], float]


def turn_bad(part: float, usual: float = 0.02) -> Part:
    return lambda minute: part if ONSET <= minute < MENDED else usual


def fail_first(minute: int) -> float:
    """Fail three of the first twenty tasks of a service, and then as few as usual."""
    return 0.15 if ONSET <= minute < ONSET + 2 else 0.02


SERVICES: dict[str, tuple[Part, int, float]] = {
    # service: part of its tasks that is bad, its first minute, the usual part or 0 if it has no day of history
    "quarter": (turn_bad(0.25), 0, 0.02),
    "eighth": (turn_bad(0.12), 0, 0.02),
    "steady": (turn_bad(0.02), 0, 0.02),
    "usually_bad": (turn_bad(0.06, usual=0.045), 0, 0.045),
    "young": (turn_bad(0.25), 60, 0),
    "unlucky": (fail_first, ONSET, 0),
}


def build_series() -> Iterator[dict[str, str]]:
    """Yield ten tasks a minute, of which the bad ones come evenly, and what is recorded of the day before."""
    for service, (part, born, usual) in SERVICES.items():
        total = list(accumulate(10 * part(minute) * (minute >= born) for minute in range(END)))
        bad = [math.floor(total[0] + 1e-6)]
        bad += [math.floor(now + 1e-6) - math.floor(before + 1e-6) for before, now in pairwise(total)]
        for _, sli, _ in PROMISES:
            yield _write_series(S.SLI_EVENTS_INCREASE, service, sli, [10] * END, born)
            yield _write_series(S.SLI_BAD_INCREASE, service, sli, bad, born)
            if usual:
                yield _write_series(S.SLI_ERROR_USUAL, service, sli, [usual] * END)
                yield _write_series(S.SLI_BAD_BURSTS, service, sli, [1.1] * END)


def _write_series(name: str, service: str, sli: str, values: list[float] | list[int], born: int = 0) -> dict[str, str]:
    shown = ("_" if minute < born else str(value) for minute, value in enumerate(values))
    return {
        "series": f'{name}{{service_name="{service}", otel_agentops_sli_name="{sli}"}}',
        "values": " ".join(shown),
    }


def expect_alerts(minute: int, severity: str, **services: str) -> dict[str, object]:
    """Expect the services that burn, by objective."""
    expr = f'group by (slo, service_name) (ALERTS{{alertname="OtelAgentopsErrorBudgetBurn", severity="{severity}"}})'
    samples = [
        {"labels": f'{{slo="{name}", service_name="{service}"}}', "value": 1}
        for name, all_services in services.items()
        for service in all_services.split()
    ]
    return {"expr": expr, "eval_time": f"{minute}m", "exp_samples": samples}


def test_sudden_loss_pages_in_time(promtool: Path, tmp_path: Path) -> None:
    counted = (S.SLI_EVENTS_INCREASE, S.SLI_BAD_INCREASE)
    rules = [rule for rule in build_ratio_rules(Clock(1)) if rule["record"] not in counted]
    run_promtool(
        promtool,
        tmp_path,
        [*rules, *build_burn_rules(SLOS, Clock(1))],
        list(build_series()),
        [
            *(expect_alerts(minute, "page") for minute in (60, 75, ONSET, ONSET + 2)),
            *(expect_alerts(minute, "ticket") for minute in (5, 60, 75, ONSET, ONSET + 2)),
            expect_alerts(ONSET + 15, "page", answers="eighth quarter", tools="eighth quarter"),
            expect_alerts(ONSET + 30, "page", answers="eighth quarter", tools="eighth quarter"),
            expect_alerts(MENDED, "page", answers="eighth quarter", tools="eighth quarter"),
            expect_alerts(MENDED + 15, "page"),
        ],
    )


def run_promtool(
    promtool: Path,
    directory: Path,
    rules: Sequence[Rule],
    series: Sequence[Mapping[str, str]],
    tests: Sequence[Mapping[str, object]],
    interval: str = "1m",
) -> None:
    write_json(directory / "rules.yaml", {"groups": [{"name": "a", "interval": interval, "rules": rules}]})
    test = {"interval": interval, "input_series": series, "promql_expr_test": tests}
    write_json(
        directory / "test.yaml", {"rule_files": ["rules.yaml"], "evaluation_interval": interval, "tests": [test]}
    )
    done = subprocess.run([promtool, "test", "rules", directory / "test.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_usual_is_the_day_before(promtool: Path, tmp_path: Path) -> None:
    """A day of 14,400 events with 287 bad ones; the same hours had 5 %; no day of history, no usual."""
    hours = 27
    series = [
        _write_series(f"{S.SLI_EVENTS_INCREASE}1d", "day", "x", [14_400] * hours),
        _write_series(f"{S.SLI_BAD_INCREASE}1d", "day", "x", [287] * 25 + [5_000] * 2),
        _write_series(f"{S.SLI_EVENTS_INCREASE}1d", "nightly", "x", [14_400] * hours),
        _write_series(f"{S.SLI_BAD_INCREASE}1d", "nightly", "x", [287] * hours),
        _write_series(f"{S.SLI_ERROR_RATIO}2h", "nightly", "x", [0.01, 0.01, 0.05] + [0.01] * (hours - 3)),
        _write_series(f"{S.SLI_EVENTS_INCREASE}1d", "young", "x", [14_400] * hours, born=5),
        _write_series(f"{S.SLI_BAD_INCREASE}1d", "young", "x", [287] * hours, born=5),
        _write_series(S.SLI_BAD_INCREASE, "even", "x", [2] * hours),
        _write_series(S.SLI_BAD_INCREASE, "bursts", "x", [20 * (hour % 12 == 0) for hour in range(hours)]),
        _write_series(S.SLI_BAD_INCREASE, "none", "x", [0] * hours),
    ]

    def expect(name: str, hour: int, **values: float) -> dict[str, object]:
        samples = [{"labels": f'{{service_name="{service}"}}', "value": value} for service, value in values.items()]
        return {"expr": f"sum by (service_name) ({name})", "eval_time": f"{hour}h", "exp_samples": samples}

    # of 24 values two are 20: mean 5/3, variance 275/9, with a burst of 5 more (24 * 275/9 + 25) / (40 + 5)
    tests = [
        expect(S.SLI_ERROR_USUAL, 23),
        expect(S.SLI_ERROR_USUAL, 25, day=0.02, nightly=0.05),
        expect(S.SLI_ERROR_USUAL, 26, day=5_001 / 14_400, nightly=0.02),
        expect(S.SLI_BAD_BURSTS, 26, even=1, bursts=(24 * 275 / 9 + 25) / 45, none=5),
    ]
    run_promtool(promtool, tmp_path, list(build_usual_rules(Clock(1))), series, tests, interval="1h")
