"""Labels as events of Honeycomb, each at the time of its task: bodies of `POST /1/batch/{dataset}`, one a line.

https://docs.honeycomb.io/api/tag/Events/
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.slo.indicators import verdict_attribute
from otel_agentops.truth.labels import Label

MAX_EVENTS = 500  # in one body: with a kilobyte each, a tenth of what the API takes


def render_events(labels: Sequence[Label]) -> str:
    """Return the bodies, the same for the same labels."""
    bodies = (labels[at : at + MAX_EVENTS] for at in range(0, len(labels), MAX_EVENTS))
    return "".join(f"{json.dumps([*map(_build_event, body)], sort_keys=True)}\n" for body in bodies)


def _build_event(label: Label) -> dict[str, object]:
    """Return an event with the attributes of an outcome alone: what else is on the application's stays there."""
    attributes = {key: label.attributes[key] for key in E.EVENTS[E.OUTCOME] if key in label.attributes}
    verdicts = {verdict_attribute(indicator.name): int(proxy == "bad") for indicator, proxy in label.proxies}
    service = {A.SERVICE_NAME: label.service, A.DEPLOYMENT_ENVIRONMENT_NAME: label.environment, "name": E.OUTCOME}
    time = datetime.fromtimestamp(round(label.time_s, 3), timezone.utc).isoformat(timespec="milliseconds")
    return {"time": time.replace("+00:00", "Z"), "data": {**attributes, **verdicts, **service}}
