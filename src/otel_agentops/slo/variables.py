"""The observations of each variable: how often each value was seen, and its share in its scope.

A series of the collector stays for a day after its last observation, so presence says nothing; only growth counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo import series as S
from otel_agentops.slo._promql import Clock, Rule, express_growth, make_rule, set_label
from otel_agentops.slo.series import SERVICE

# Variable to its counter, the attributes of its scope, and that of its value. One scope is one place in the program.
VARIABLES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "model": (M.MODEL_OBSERVATIONS, (A.GEN_AI_REQUEST_MODEL,), A.GEN_AI_RESPONSE_MODEL),
    "prompt": (M.PROMPT_OBSERVATIONS, (A.TASK_NAME, A.GEN_AI_PROMPT_NAME), A.PROMPT_HASH),
    # Under one declared hash, so that another template is one move and not two.
    "instructions": (
        M.INSTRUCTIONS_OBSERVATIONS,
        (A.TASK_NAME, A.GEN_AI_PROMPT_NAME, A.PROMPT_HASH),
        A.PROMPT_SENT_HASH,
    ),
    "params": (M.PARAMS_OBSERVATIONS, (A.GEN_AI_REQUEST_MODEL,), A.PARAMS_HASH),
    "fingerprint": (M.FINGERPRINT_OBSERVATIONS, (A.GEN_AI_REQUEST_MODEL,), A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT),
    "tools": (M.TOOLS_OBSERVATIONS, (A.TASK_NAME,), A.TOOLS_HASH),
    "tool": (M.TOOL_OBSERVATIONS, (A.GEN_AI_TOOL_NAME,), A.TOOL_HASH),
    "index": (M.INDEX_OBSERVATIONS, (A.INDEX_NAME,), A.INDEX_VERSION),
    "judge": (M.JUDGE_OBSERVATIONS, (A.JUDGE_NAME,), A.JUDGE_REVISION),
    "traffic": (M.TRAFFIC_OBSERVATIONS, (), A.TRAFFIC_SEGMENT),
    "stage": (M.STAGE_OBSERVATIONS, (), A.ROLLOUT_STAGE),
    "deploy": (M.DEPLOY_OBSERVATIONS, (A.SERVICE_NAME,), A.SERVICE_VERSION),
    "flag": (M.FLAG_OBSERVATIONS, (A.FEATURE_FLAG_KEY,), A.FEATURE_FLAG_RESULT_VARIANT),
}
# A drifted schema changes the hash of its tool and of every set with it, and is reported once, as `tools`.
# Traffic moves as a mix (moves/traffic.py), which presence cannot tell; and so do the stages of a roll-out, whose first
# task is no change of what answers.
NOT_MOVED = "tool|traffic|stage"
# A provider has several systems at once, and another mix of them in each region and hour: only a new one is a move.
NOT_WEIGHED = f"{NOT_MOVED}|fingerprint"

# The place of an observation is the region or, if that is unknown, the collector; the stage is that of a roll-out.
PLACE, STAGE = "place", A.ROLLOUT_STAGE.replace(".", "_")
SCOPE = ", ".join((*SERVICE, "variable", "scope"))
VALUE = f"{SCOPE}, value"


def build_observed_rules(clock: Clock) -> Iterator[Rule]:
    """Yield the observations and shares of five minutes and of an hour."""
    yield from (_build_placed_rule(variable, clock) for variable in VARIABLES)
    yield make_rule(S.VARIABLE_INCREASE, f"sum by ({VALUE}) ({S.VARIABLE_OBSERVED})")
    yield make_rule(S.VARIABLE_ACTIVE, f"sum_over_time({S.VARIABLE_INCREASE}[{clock.to_range('5m')}]) > 0")
    yield make_rule(
        S.name_window(S.VARIABLE_INCREASE, "1h"), f"sum_over_time({S.VARIABLE_INCREASE}[{clock.to_range('1h')}]) > 0"
    )
    yield make_rule(S.VARIABLE_SHARE, divide_by_scope(S.VARIABLE_ACTIVE))
    yield make_rule(S.name_window(S.VARIABLE_SHARE, "1h"), divide_by_scope(S.name_window(S.VARIABLE_INCREASE, "1h")))


def divide_by_scope(observations: str, by: str = SCOPE) -> str:
    """Return the part of its scope that each value has."""
    return f"{observations} / on ({by}) group_left () sum by ({by}) ({observations})"


def _build_placed_rule(variable: str, clock: Clock) -> Rule:
    metric, scope, value = VARIABLES[variable]
    sources = "".join(f', "{_label(part)}"' for part in scope)
    growth = add_place(express_growth(M.METRICS[metric].prometheus, clock))
    with_scope = f'label_join({growth}, "scope", "/"{sources})' if scope else set_label(growth, "scope", "all")
    with_value = f'label_join({with_scope}, "value", "", "{_label(value)}")'
    expr = f"sum by ({', '.join(SERVICE)}, {PLACE}, {STAGE}, scope, value) (\n  {with_value}\n)"
    return make_rule(S.VARIABLE_OBSERVED, expr, variable=variable)


def add_place(series: str) -> str:
    """Return a series with the place of the collector or of the application."""
    region = _label(A.CLOUD_REGION)
    collector = f'label_replace({series}, "{PLACE}", "$1", "instance", "(.*)")'
    return f'label_replace({collector}, "{PLACE}", "$1", "{region}", "(.+)")'


def _label(attribute: str) -> str:
    return attribute.replace(".", "_")
