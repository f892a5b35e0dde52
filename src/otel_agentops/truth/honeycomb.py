"""Labels as events of Honeycomb, each at the time of its task: bodies of `POST /1/batch/{dataset}`, one a line.

https://docs.honeycomb.io/api/tag/Events/
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import events as E
from otel_agentops.slo.indicators import verdict_attribute
from otel_agentops.truth.labels import Label

EVENTS = 500  # in one body: with a kilobyte each, a tenth of what the API takes


def text(labels: Sequence[Label]) -> str:
    """The same for the same labels."""
    bodies = (labels[at : at + EVENTS] for at in range(0, len(labels), EVENTS))
    return "".join(f"{json.dumps([*map(_event, body)], sort_keys=True)}\n" for body in bodies)


def _event(one: Label) -> dict[str, Any]:
    """The attributes of an outcome alone: what else an application put on its event stays where it is."""
    known = {key: one.attributes[key] for key in E.EVENTS[E.OUTCOME] if key in one.attributes}
    said = {verdict_attribute(indicator.name): int(proxy == "bad") for indicator, proxy in one.proxies}
    service = {A.SERVICE_NAME: one.service, A.DEPLOYMENT_ENVIRONMENT_NAME: one.environment, "name": E.OUTCOME}
    time = datetime.fromtimestamp(round(one.time, 3), timezone.utc).isoformat(timespec="milliseconds")
    return {"time": time.replace("+00:00", "Z"), "data": {**known, **said, **service}}
