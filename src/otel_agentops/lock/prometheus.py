"""Live values from the recording rules of a Prometheus, which know to the unit how often each value was seen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing

from otel_agentops._yaml import InputError
from otel_agentops.lock.live import SERVICE, UNKNOWN, WATCHED, Live, LiveValue
from otel_agentops.prometheus_api import PrometheusClient, PrometheusError
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo.series import VARIABLE_INCREASE

_SERVICE, _REQUEST_MODEL = (name.replace(".", "_") for name in (SERVICE, A.GEN_AI_REQUEST_MODEL))
_DURATION = re.compile(r"(?:[0-9]+[smhdwy])+")


def read_live(url: str, window: str = "7d") -> Live:
    """Return every value that was active within the window.

    Raises:
        InputError: The window is not a duration, or the Prometheus does not answer.
    """
    if not _DURATION.fullmatch(window):
        raise InputError(f"--window: {window!r} is no duration; write for instance 7d or 12h")
    increases = f'{VARIABLE_INCREASE}{{variable=~"{"|".join(WATCHED)}"}}'
    by = f"{_SERVICE}, variable, scope, value"
    try:
        with closing(PrometheusClient(url)) as client:
            samples = client.query_instant(f"sum by ({by}) (sum_over_time({increases}[{window}])) > 0")
            counts = {
                LiveValue(
                    labels.get(_SERVICE, UNKNOWN), labels["variable"], labels.get("scope", ""), labels["value"]
                ): count
                for labels, count in samples
                if labels.get("value")
            }
            return Live({**counts, **_count_unreported(client, window, counts)}, f"{url} over {window}")
    except PrometheusError as error:
        raise InputError(str(error)) from None


def _count_unreported(
    client: PrometheusClient, window: str, counts: Mapping[LiveValue, float]
) -> dict[LiveValue, float]:
    """Count the calls of models that never said which of them answered.

    `increase` does not see what a series was born with: one that is younger than the window grew from 0.
    """
    calls = M.METRICS[M.LLM_CALLS].prometheus
    increase = f"(last_over_time({calls}[{window}]) unless {calls} offset {window}) or increase({calls}[{window}])"
    answering = {each._replace(value=None) for each in counts}
    requests = {
        LiveValue(labels.get(_SERVICE, UNKNOWN), "model", labels.get(_REQUEST_MODEL, ""), None): count
        for labels, count in client.query_instant(f"sum by ({_SERVICE}, {_REQUEST_MODEL}) ({increase}) > 0")
    }
    return {each: count for each, count in requests.items() if each not in answering}
