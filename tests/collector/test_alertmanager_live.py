"""A page as a person gets it: spans, a collector, Prometheus, Alertmanager with our templates, Slack and PagerDuty."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from overlay_signals import QUICK, Sender, Span
from ruamel.yaml import YAML

import stack
from otel_agentops.semconv import attributes as A
from otel_agentops.slo import prometheus as rules
from otel_agentops.slo import shipped
from otel_agentops.slo.links import Links
from otel_agentops.slo.spec import Slo

pytestmark = [pytest.mark.collector, pytest.mark.slow]

SCALE = 360  # an hour is ten seconds
LINKS = Links("https://runbooks.example", "https://grafana.example")
PROMISE = Slo(
    name="tools",
    sli="tool_success",
    objective=0.99,
    owner="support <team>",
    runbook="our runbook",
    trip_policy="No new prompt goes live.",
)
CONFIG = "alertmanager/example.yml"


class Receiver:
    """A fake Slack and PagerDuty: it keeps the bodies that were posted to each path."""

    def __init__(self) -> None:
        bodies: list[tuple[str, dict[str, Any]]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                bodies.append((self.path, body))
                self.send_response(202 if self.path == "/pagerduty" else 200)
                self.end_headers()
                self.wfile.write(b'{"status": "success"}' if self.path == "/pagerduty" else b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self.bodies = bodies
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def list_channel(self, channel: str) -> list[dict[str, Any]]:
        """The messages of a channel of Slack, or of PagerDuty."""
        return [body for path, body in self.bodies if channel in (path, body.get("channel"))]


@contextmanager
def run_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()


def write_shipped(directory: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The shipped files of Alertmanager, with a change of the config."""
    for path, text in shipped.files().items():
        (directory / path).parent.mkdir(exist_ok=True)
        (directory / path).write_text(text)
    config = YAML(typ="safe").load(directory / CONFIG)
    change(config)
    (directory / CONFIG).write_text(json.dumps(config))  # JSON is YAML
    return directory / CONFIG


def send_to(url: str) -> Callable[[dict[str, Any]], None]:
    """Fake addresses in place of secrets, and waits that are as much shorter as the windows of the rules."""

    def change(config: dict[str, Any]) -> None:
        ours = config["route"]["routes"][0]
        ours |= {"group_wait": "3s", "group_interval": "5s"}
        for receiver in config["receivers"]:
            for slack in receiver.get("slack_configs", ()):
                del slack["api_url_file"]
                slack["api_url"] = f"{url}/slack"
            for pager in receiver.get("pagerduty_configs", ()):
                del pager["routing_key_file"]
                pager |= {"routing_key": "key", "url": f"{url}/pagerduty"}

    return change


def test_shipped_config_is_valid(amtool: Path, tmp_path: Path) -> None:
    config = write_shipped(tmp_path, lambda config: None)
    done = subprocess.run([amtool, "check-config", config], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert " - 3 inhibit rules\n - 4 receivers\n - 1 templates\n" in done.stdout


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "OtelAgentopsErrorBudgetBurn", "severity": "page"}, "otel-agentops-page"),
        ({"alertname": "OtelAgentopsErrorBudgetBurn", "severity": "ticket"}, "otel-agentops-ticket"),
        ({"alertname": "OtelAgentopsVariableMoved", "severity": "info"}, "otel-agentops-timeline"),
        ({"alertname": "DiskFull", "severity": "page"}, "nobody"),
    ],
)
def test_alert_goes_to_receiver(amtool: Path, tmp_path: Path, labels: Mapping[str, str], receiver: str) -> None:
    config = write_shipped(tmp_path, lambda config: None)
    pairs = [f"{key}={value}" for key, value in labels.items()]
    done = subprocess.run(
        [amtool, "config", "routes", "test", f"--config.file={config}", *pairs], capture_output=True, text=True
    )
    assert done.stdout == f"{receiver}\n", done.stderr


@pytest.mark.rotation("long runs", "Alertmanager", 9, seconds=40)
def test_page_says_why_and_inhibits_the_rest(otelcol: Path, alertmanager: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(rules.render_rules([PROMISE], SCALE, LINKS))
    with (
        run_receiver() as receiver,
        stack.alertmanager(write_shipped(tmp_path, send_to(receiver.url)), tmp_path) as pager,
        stack.collector([stack.BASE, stack.OVERLAY, *QUICK], tmp_path, {"OTEL_AGENTOPS_FLUSH": "200ms"}) as collector,
        stack.prometheus(
            [collector.metrics.split("/")[2]], [tmp_path / "rules.yaml"], tmp_path, alertmanagers=[pager.address]
        ) as running,
    ):
        play_incident(Sender(collector.otlp), running, receiver)
        time.sleep(4)  # a ticket that nothing inhibits would come within the wait of its group
    pages = receiver.list_channel("#llm-pages")
    assert [settle_figures(page) for page in pages] == [SLACK_PAGE]
    # The move came first, and the model is no part of an execution of a tool: nothing says that it is to blame.
    assert re.search("Cannot tell: |but something is sick: ", pages[0]["attachments"][0]["text"])
    (incident,) = receiver.list_channel("/pagerduty")
    assert settle_figures(incident["payload"]) == PAGERDUTY_PAYLOAD
    assert incident["links"] == PAGERDUTY_LINKS
    # A page inhibits the tickets of its objective; that the model drifted is a matter of its own.
    assert {message["attachments"][0]["title"] for message in receiver.list_channel("#llm-tickets")} <= {DRIFTED}
    (moved,) = receiver.list_channel("#llm-moves")
    assert moved["attachments"][0]["title"] == MOVED


def play_incident(sender: Sender, running: stack.Prometheus, receiver: Receiver) -> None:
    """A model is replaced, and a little later every second tool fails."""
    model, broken, started = "gpt-x-01", False, time.monotonic()
    while not all(map(receiver.list_channel, ("#llm-pages", "#llm-moves", "/pagerduty"))):
        assert time.monotonic() < started + 120, running.query("ALERTS")
        sender.spans("shop", *list_spans(model, broken), deployment_environment_name="prod")
        if model == "gpt-x-01" and running.query(KNOWN):
            model = "gpt-x-02"
        broken = broken or bool(running.query("otel_agentops:variable:moved"))
        time.sleep(0.5)


# The scope is older than half an hour, and one evaluation more.
KNOWN = 'otel_agentops:variable:known{value="gpt-x-01"} offset 14s'


def list_spans(model: str, broken: bool) -> list[Span]:
    call = {A.GEN_AI_OPERATION_NAME: "chat", A.GEN_AI_REQUEST_MODEL: "gpt-x", A.GEN_AI_RESPONSE_MODEL: model}
    tool = {A.GEN_AI_OPERATION_NAME: "execute_tool", A.GEN_AI_TOOL_NAME: "refund"}
    return [Span("chat", call)] * 10 + [Span("tool", tool, error=broken)] * 10


def settle_figures(body: Mapping[str, Any]) -> Any:
    """Put fixed texts in place of what differs from run to run: parts, and what is known when the page is sent."""
    text = re.sub(r"-?\d[\d.]*%", "N%", json.dumps(body))
    text = re.sub(r"(that failed\.).*?(\\nTraces:| Policy:)", r"\1\2", text)
    return json.loads(re.sub(r"\\n(The budget|N% of the budget|How much)[^\\]*\\nPolicy:", r"\\nPolicy:", text))


DRIFTED = "Ticket: shop: gpt-x is answered by gpt-x-02 and no more by gpt-x-01"
MOVED = "shop: model of gpt-x moved from gpt-x-01 to gpt-x-02"
TITLE = "Page: shop burns the error budget of tools (direct: tool_success)"
WINDOWS = "Over 5 min N%, over 30 min N%, over 1 h N%, over 6 h N% are bad."
DESCRIPTION = f"{WINDOWS} 1 % in 30d may be tool executions that failed."
RUNBOOK = "https://runbooks.example/OtelAgentopsErrorBudgetBurn.md"
DASHBOARD = "https://grafana.example/d/agentops-budget?var-service=shop&var-environment=prod&var-slo=tools"
SLACK_PAGE = {
    "channel": "#llm-pages",
    "username": "otel-agentops",
    "attachments": [
        {
            "title": TITLE,
            "title_link": DASHBOARD,
            "text": f"{DESCRIPTION}\n"
            'Traces: `{ resource.service.name = "shop" &amp;&amp; span.gen_ai.operation.name = "execute_tool" '
            "&amp;&amp; status = error }`\n"
            "Policy: No new prompt goes live.\n"
            "Owner: support &lt;team&gt;\n"
            f"<{RUNBOOK}|Runbook> · <{DASHBOARD}|Dashboard>",
            "fallback": TITLE,
            "callback_id": "",
            "footer": "",
            "color": "danger",
            "mrkdwn_in": ["fallback", "pretext", "text"],
        }
    ],
}
PAGERDUTY_PAYLOAD = {
    "summary": TITLE,
    "source": "Alertmanager",
    "severity": "critical",
    "class": "OtelAgentopsErrorBudgetBurn",
    "component": "shop",
    "group": "tools",
    "custom_details": {
        "num_firing": "1",
        "num_resolved": "0",
        "resolved": "",
        "firing": f"{DESCRIPTION} Policy: No new prompt goes live.",
        "owner": "support <team>",
        "runbook": "our runbook",
    },
}
PAGERDUTY_LINKS = [{"text": "Runbook", "href": RUNBOOK}, {"text": "Dashboard", "href": DASHBOARD}]
