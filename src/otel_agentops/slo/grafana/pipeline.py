"""Pipeline health: whether the numbers of the other dashboards can be believed."""

from __future__ import annotations

from otel_agentops.slo.grafana._dashboard import Dashboard, Row
from otel_agentops.slo.grafana._panels import Panel, Query, colours, lines, states

# A collector's own counters end in `_total` or not, as its telemetry is configured.
RATE = "$__rate_interval"


def dashboard() -> Dashboard:
    """The collector with the overlay, its scrape, and the rules. Needs a scrape of the collector's own metrics."""
    return Dashboard(
        uid="agentops-pipeline",
        title="otel-agentops / Pipeline health",
        about="What the collector with the overlay takes, refuses and drops, whether Prometheus gets it, and whether "
        "the rules keep up. Needs scrapes of the collector's own metrics (port 8888) and of Prometheus itself.",
        rows=(
            Row("Collector", (_received(), _refused(), _overlay(), _dropped())),
            Row("Counting", (_streams(), _limit(), _sent(), _memory())),
            Row("Prometheus", (_up(), _scrape(), _rules(), _failures())),
        ),
        service=False,
    )


def own(name: str, *matchers: str) -> str:
    """One of the collector's own counters, under either name."""
    named = f'__name__=~"{name}(_total)?"'
    return f"{{{', '.join((named, *matchers))}}}"


def _per_second(name: str, *by: str, matchers: tuple[str, ...] = ()) -> str:
    return f"sum by ({', '.join(('instance', *by))}) (rate({own(name, *matchers)}[{RATE}]))"


def _received() -> Panel:
    return lines(
        "Received",
        "Spans and log records per second that the collector's receivers accepted.",
        "none",
        Query(_per_second("otelcol_receiver_accepted_spans", "receiver"), "spans {{receiver}} {{instance}}"),
        Query(_per_second("otelcol_receiver_accepted_log_records", "receiver"), "logs {{receiver}} {{instance}}"),
    )


def _refused() -> Panel:
    return lines(
        "Refused",
        "Spans and log records per second that a receiver refused. Anything above 0 is lost or sent again by the SDK.",
        "none",
        Query(_per_second("otelcol_receiver_refused_spans", "receiver"), "spans {{receiver}} {{instance}}"),
        Query(_per_second("otelcol_receiver_refused_log_records", "receiver"), "logs {{receiver}} {{instance}}"),
    )


def _overlay() -> Panel:
    """What the filter let through."""
    of = ('processor="filter/otel_agentops"',)
    return lines(
        "Counted by the overlay",
        "Spans and log records per second before and after the overlay's filter: what is not about an LLM leaves "
        "there.",
        "none",
        Query(_per_second("otelcol_processor_incoming_items", "otel_signal", matchers=of), "in {{otel_signal}}"),
        Query(_per_second("otelcol_processor_outgoing_items", "otel_signal", matchers=of), "out {{otel_signal}}"),
    )


def _dropped() -> Panel:
    """A processor that refuses shows up as what went in and did not come out, whatever its counter is called."""
    of = ('processor=~"(memory_limiter|transform)/otel_agentops.*"',)
    went, came = (
        _per_second(f"otelcol_processor_{way}_items", "processor", "otel_signal", matchers=of)
        for way in ("incoming", "outgoing")
    )
    return lines(
        "Dropped by the overlay",
        "Items per second that went into the overlay's memory limiter or tags and did not come out: not counted, and "
        "in no budget. 0 is good.",
        "none",
        Query(f"clamp_min({went} - {came}, 0)", "{{processor}} {{otel_signal}}"),
    )


def _streams() -> Panel:
    return lines(
        "Series of the overlay",
        "Series that the processors delta_to_cumulative keep, all together. Each has a limit of its own, above which "
        "no new series is counted.",
        "short",
        Query("sum by (instance) (otelcol_deltatocumulative_streams_tracked)", "{{instance}}"),
    )


def _limit() -> Panel:
    """The counter itself: it is born with the first refusal, of which no rate would tell."""
    refused = own("otelcol_deltatocumulative_datapoints", 'error!=""')
    return lines(
        "Points not counted since its start",
        "Points that delta_to_cumulative refused since the collector started: `limit` is a new series above the limit, "
        "for instance of a rendered prompt that is given as a template. 0 or nothing is good.",
        "short",
        Query(f"sum by (instance, error) ({refused})", "{{error}} {{instance}}"),
    )


def _sent() -> Panel:
    of = ('exporter="prometheus/otel_agentops"',)
    return lines(
        "Points to the scrape endpoint",
        "Metric points per second that reached the overlay's exporter.",
        "none",
        Query(_per_second("otelcol_exporter_sent_metric_points", matchers=of), "{{instance}}"),
    )


def _memory() -> Panel:
    return lines(
        "Memory of the collector",
        "Resident memory. The overlay stops counting at 65 % of the limit, before storing stops.",
        "bytes",
        Query('{__name__=~"otelcol_process_memory_rss(_bytes)?"}', "{{instance}}"),
    )


RULES = '{rule_group=~".*;otel_agentops.*"}'


def _by_group(expression: str) -> str:
    """With the group's name without the path of its file."""
    return f'label_replace({expression}, "group", "$1", "rule_group", ".*;(.*)")'


def _up() -> Panel:
    panel = states(
        "Scrapes",
        "1: Prometheus got an answer. Without an answer nothing is counted, and what the collector had not shown when "
        "it ended is lost.",
        "none",
        Query("up", "{{job}} {{instance}}"),
        width=12,
    )
    return colours(panel, (None, "red"), (1, "green"))


def _scrape() -> Panel:
    return lines(
        "Duration of a scrape",
        "Keep it well below the scrape interval. It grows with the number of series.",
        "s",
        Query("scrape_duration_seconds", "{{job}} {{instance}}"),
    )


def _rules() -> Panel:
    return lines(
        "Duration of the rules",
        "What the last evaluation of each group took, as a part of its interval. Above 100 % evaluations are missed, "
        "and what came in them is not counted.",
        "percentunit",
        Query(
            _by_group(
                f"prometheus_rule_group_last_duration_seconds{RULES} / prometheus_rule_group_interval_seconds{RULES}"
            ),
            "{{group}}",
        ),
    )


def _failures() -> Panel:
    return lines(
        "Rules that failed or were missed",
        "Per minute. A missed evaluation of a group loses what came since the one before. 0 is good.",
        "none",
        Query(_by_group(f"rate(prometheus_rule_evaluation_failures_total{RULES}[{RATE}]) * 60"), "failed {{group}}"),
        Query(
            _by_group(f"rate(prometheus_rule_group_iterations_missed_total{RULES}[{RATE}]) * 60"), "missed {{group}}"
        ),
    )
