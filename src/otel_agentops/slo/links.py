"""Links from alerts to what helps the person who gets them: the runbook, and the dashboard with the numbers.

`runbook_url` and `dashboard_url` are the annotations that the ecosystem's templates expect.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple
from urllib.parse import quote

from otel_agentops.slo._promql import Rule
from otel_agentops.slo.series import SERVICE

# The dashboard of each alert; any other alert is about the budget. The first panel of a dashboard says most.
DASHBOARDS = {
    "agentops-moved": ("VariableMoved", "VariableSkewed", "ModelDrifted", "UnlistedValue", "EvalSetStale"),
    "agentops-triage": ("RateLimitNear",),
    "agentops-trust": ("ProxyDisagreesWithTruth", "GroundTruthStale", "ProxyWithoutTruth"),
    "agentops-pipeline": ("NoData", "CollectorNotScraped", "ScrapedTooSeldom", "CountsMissing", "RulesStale"),
}


class Links(NamedTuple):
    """Addresses that alerts link to; an empty one gives no link.

    Attributes:
        runbooks: URL of the folder with the runbooks of `slo generate`; `{alert}` in it stands for an alert's name.
        grafana: URL of the Grafana that has the dashboards.
        tempo: The uid of that Grafana's data source of traces.
    """

    runbooks: str = ""
    grafana: str = ""
    tempo: str = ""


NO_LINKS = Links()


def add_links(rule: Rule, links: Links) -> Rule:
    """Return an alert with its links; a recording rule has none.

    The runbook of an objective comes first. An alert without an objective names its page of `slo generate`.
    """
    if "alert" not in rule:
        return rule
    annotations = {"runbook": f"runbooks/{rule['alert']}.md", **rule["annotations"]}
    if annotations["runbook"].startswith(("http://", "https://")):
        annotations["runbook_url"] = annotations["runbook"]
    elif links.runbooks:
        pattern = links.runbooks if "{alert}" in links.runbooks else f"{links.runbooks.rstrip('/')}/{{alert}}.md"
        annotations["runbook_url"] = pattern.replace("{alert}", rule["alert"])
    if links.grafana:
        annotations["dashboard_url"] = f"{links.grafana.rstrip('/')}/d/{_choose_view(rule)}"
    if links.grafana and links.tempo and "traceql" in annotations:
        panes = _build_panes(annotations["traceql"], links.tempo)
        annotations["traces_url"] = f"{links.grafana.rstrip('/')}/explore?schemaVersion=1&orgId=1&panes={panes}"
    return {**rule, "annotations": annotations}


def choose_dashboard(alert: str) -> str:
    """Return the uid of the dashboard of an alert."""
    name = alert.removeprefix("OtelAgentops")
    return next((uid for uid, alerts in DASHBOARDS.items() if name in alerts), "agentops-budget")


def _choose_view(rule: Rule) -> str:
    """Return the path of a dashboard that shows the alert's service and objective, as a template of its labels."""
    uid, name = choose_dashboard(rule["alert"]), rule["alert"].removeprefix("OtelAgentops")
    if uid == "agentops-pipeline":
        return uid
    labels = {"service": SERVICE[0], "environment": SERVICE[1]}
    if name in ("EvalSetStale", "NeverSeen"):  # sets are evaluated in any environment
        del labels["environment"]
    if name == "NeverSeen":  # in no service
        del labels["service"]
    if "slo" in rule.get("labels", {}):
        labels["slo"] = "slo"
    query = "&".join(f"var-{variable}={{{{ $labels.{label} | urlquery }}}}" for variable, label in labels.items())
    return f"{uid}?{query}"


# The hour before an evaluation, since a link is opened later.
_FROM, _TO = (
    f'{{{{ query "{milliseconds}" | first | value | printf "%.0f" }}}}'
    for milliseconds in ("1000 * time() - 3600000", "1000 * time()")
)
_PRINTED = re.compile(r'\{\{ (printf "%q" [$.][\w.]+) \}\}')


def _build_panes(traceql: str, uid: str) -> str:
    """Return the panes of Explore that ask Tempo, as a template: JSON in a URL, in which a query has its values."""
    parts = re.split(r"(\{\{.*?\}\})", traceql)
    query = "".join(_encode_action(part) if part.startswith("{{") else _encode_text(part) for part in parts)
    source = {"type": "tempo", "uid": uid}
    pane = {
        "datasource": uid,
        "queries": [{"refId": "A", "datasource": source, "queryType": "traceql", "limit": 20, "query": "QUERY"}],
        "range": {"from": "FROM", "to": "TO"},
    }
    text = quote(json.dumps({"a": pane}, separators=(",", ":")), safe="")
    return text.replace("QUERY", query).replace("FROM", _FROM).replace("TO", _TO)


def _encode_text(text: str) -> str:
    return quote(json.dumps(text, ensure_ascii=False)[1:-1], safe="")


def _encode_action(action: str) -> str:
    """Return an action that prints what the action does, as a part of a string of JSON in a URL."""
    return _PRINTED.sub(r'{{ printf "%q" (\1) | reReplaceAll "^.|.$" "" | urlquery }}', action)
