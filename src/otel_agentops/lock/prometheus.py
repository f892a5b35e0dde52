"""What runs, from the recording rules of a Prometheus: they know to the unit how often each value was seen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from otel_agentops.lock.live import SERVICE, UNKNOWN, WATCHED, Live, Seen
from otel_agentops.lock.model import LockError
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from otel_agentops.slo.series import VARIABLE_INCREASE

_SERVICE, _ASKED = (name.replace(".", "_") for name in (SERVICE, A.GEN_AI_REQUEST_MODEL))
_DURATION = re.compile(r"(?:[0-9]+[smhdwy])+")


def live(url: str, window: str = "7d") -> Live:
    """Every value that was active within the window. Raises LockError."""
    if not _DURATION.fullmatch(window):
        raise LockError(f"--window: {window!r} is no duration; write for instance 7d or 12h")
    with httpx.Client(timeout=60) as client:
        increases = f"{VARIABLE_INCREASE}{{variable=~{_any(WATCHED)}}}"
        by = f"{_SERVICE}, variable, scope, value"
        found = _query(client, url, f"sum by ({by}) (sum_over_time({increases}[{window}])) > 0")
        counts = {
            Seen(labels.get(_SERVICE, UNKNOWN), labels["variable"], labels.get("scope", ""), labels["value"]): count
            for labels, count in found
            if labels.get("value")
        }
        return Live({**counts, **_unreported(client, url, window, counts)}, f"{url} over {window}")


def _unreported(client: httpx.Client, url: str, window: str, counts: Mapping[Seen, float]) -> dict[Seen, float]:
    """Calls of models that never said which of them answered.

    `increase` does not see what a series was born with: one that is younger than the window grew from 0.
    """
    calls = M.METRICS[M.LLM_CALLS].prometheus
    grown = f"(last_over_time({calls}[{window}]) unless {calls} offset {window}) or increase({calls}[{window}])"
    found = _query(client, url, f"sum by ({_SERVICE}, {_ASKED}) ({grown}) > 0")
    asked = {
        Seen(labels.get(_SERVICE, UNKNOWN), "model", labels.get(_ASKED, ""), None): count for labels, count in found
    }
    answered = {seen._replace(value=None) for seen in counts}
    return {seen: count for seen, count in asked.items() if seen not in answered}


def _any(names: Mapping[str, Any]) -> str:
    return f'"{"|".join(names)}"'


def _query(client: httpx.Client, url: str, expression: str) -> list[tuple[dict[str, str], float]]:
    address = f"{url.rstrip('/')}/api/v1/query"
    try:
        response = client.post(address, data={"query": expression})
        body = response.json()
        if body["status"] != "success":
            raise LockError(f"{url}: Prometheus answers: {body['error']}")
        return [(one["metric"], float(one["value"][1])) for one in body["data"]["result"]]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise LockError(f"{url}: cannot be asked: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise LockError(f"{url}: does not answer like a Prometheus (HTTP {response.status_code})") from None
