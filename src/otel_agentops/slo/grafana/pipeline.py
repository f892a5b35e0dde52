"""Pipeline health: can the numbers of the other dashboards be believed?"""

from __future__ import annotations

from otel_agentops.slo.grafana._dashboard import Dashboard, Row
from otel_agentops.slo.grafana._panels import Query, plot_lines, plot_states, set_colours

RATE = "$__rate_interval"
RULES = '{rule_group=~".*;otel_agentops.*"}'


def build_dashboard() -> Dashboard:
    """Build the dashboard of the collector with the overlay, its scrape, and the rules."""
    return Dashboard(
        uid="agentops-pipeline",
        title="otel-agentops / Pipeline health",
        description="What the collector with the overlay takes, refuses and drops, whether Prometheus gets it, and "
        "whether the rules keep up. Needs scrapes of the collector's own metrics (port 8888) and of Prometheus itself.",
        rows=(_build_collector_row(), _build_counting_row(), _build_prometheus_row()),
        has_service=False,
    )


def _select_counter(name: str, *matchers: str) -> str:
    """Select one of the collector's own counters, whose names end in `_total` if its telemetry is configured so."""
    under_either_name = f'__name__=~"{name}(_total)?"'
    return f"{{{', '.join((under_either_name, *matchers))}}}"


def _sum_per_second(name: str, *by: str, matchers: tuple[str, ...] = ()) -> str:
    return f"sum by ({', '.join(('instance', *by))}) (rate({_select_counter(name, *matchers)}[{RATE}]))"


def _build_collector_row() -> Row:
    overlay_filter = ('processor="filter/otel_agentops"',)
    # A processor that refuses shows up as what went in and did not come out, whatever its counter is called.
    processors = ('processor=~"(memory_limiter|transform)/otel_agentops.*"',)
    incoming, outgoing = (
        _sum_per_second(f"otelcol_processor_{way}_items", "processor", "otel_signal", matchers=processors)
        for way in ("incoming", "outgoing")
    )
    return Row(
        "Collector",
        (
            plot_lines(
                "Received",
                "Spans and log records per second that the collector's receivers accepted.",
                "none",
                Query(
                    _sum_per_second("otelcol_receiver_accepted_spans", "receiver"), "spans {{receiver}} {{instance}}"
                ),
                Query(
                    _sum_per_second("otelcol_receiver_accepted_log_records", "receiver"),
                    "logs {{receiver}} {{instance}}",
                ),
            ),
            plot_lines(
                "Refused",
                "Spans and log records per second that a receiver refused. Anything above 0 is lost or sent again by "
                "the SDK.",
                "none",
                Query(_sum_per_second("otelcol_receiver_refused_spans", "receiver"), "spans {{receiver}} {{instance}}"),
                Query(
                    _sum_per_second("otelcol_receiver_refused_log_records", "receiver"),
                    "logs {{receiver}} {{instance}}",
                ),
            ),
            plot_lines(
                "Counted by the overlay",
                "Spans and log records per second before and after the overlay's filter: what is not about an LLM "
                "leaves there.",
                "none",
                Query(
                    _sum_per_second("otelcol_processor_incoming_items", "otel_signal", matchers=overlay_filter),
                    "in {{otel_signal}}",
                ),
                Query(
                    _sum_per_second("otelcol_processor_outgoing_items", "otel_signal", matchers=overlay_filter),
                    "out {{otel_signal}}",
                ),
            ),
            plot_lines(
                "Dropped by the overlay",
                "Items per second that went into the overlay's memory limiter or tags and did not come out: not "
                "counted, and in no budget. 0 is good.",
                "none",
                Query(f"clamp_min({incoming} - {outgoing}, 0)", "{{processor}} {{otel_signal}}"),
            ),
        ),
    )


def _build_counting_row() -> Row:
    # The counter itself: it is born with the first refusal, of which no rate would tell.
    refused = _select_counter("otelcol_deltatocumulative_datapoints", 'error!=""')
    exporter = ('exporter="prometheus/otel_agentops"',)
    return Row(
        "Counting",
        (
            plot_lines(
                "Series of the overlay",
                "Series that the processors delta_to_cumulative keep, all together. Each has a limit of its own, above "
                "which no new series is counted.",
                "short",
                Query("sum by (instance) (otelcol_deltatocumulative_streams_tracked)", "{{instance}}"),
            ),
            plot_lines(
                "Points not counted since its start",
                "Points that delta_to_cumulative refused since the collector started: `limit` is a new series above "
                "the limit, for instance of a rendered prompt that is given as a template. 0 or nothing is good.",
                "short",
                Query(f"sum by (instance, error) ({refused})", "{{error}} {{instance}}"),
            ),
            plot_lines(
                "Points to the scrape endpoint",
                "Metric points per second that reached the overlay's exporter.",
                "none",
                Query(_sum_per_second("otelcol_exporter_sent_metric_points", matchers=exporter), "{{instance}}"),
            ),
            plot_lines(
                "Memory of the collector",
                "Resident memory. The overlay stops counting at 65 % of the limit, before storing stops.",
                "bytes",
                Query('{__name__=~"otelcol_process_memory_rss(_bytes)?"}', "{{instance}}"),
            ),
        ),
    )


def _build_prometheus_row() -> Row:
    scrapes = plot_states(
        "Scrapes",
        "1: Prometheus got an answer. Without an answer nothing is counted, and what the collector had not shown when "
        "it ended is lost.",
        "none",
        Query("up", "{{job}} {{instance}}"),
        width=12,
    )
    last_duration = f"prometheus_rule_group_last_duration_seconds{RULES}"
    return Row(
        "Prometheus",
        (
            set_colours(scrapes, (None, "red"), (1, "green")),
            plot_lines(
                "Duration of a scrape",
                "Keep it well below the scrape interval. It grows with the number of series.",
                "s",
                Query("scrape_duration_seconds", "{{job}} {{instance}}"),
            ),
            plot_lines(
                "Duration of the rules",
                "What the last evaluation of each group took, as a part of its interval. Above 100 % evaluations are "
                "missed, and what came in them is not counted.",
                "percentunit",
                Query(
                    _label_group(f"{last_duration} / prometheus_rule_group_interval_seconds{RULES}"),
                    "{{group}}",
                ),
            ),
            plot_lines(
                "Rules that failed or were missed",
                "Per minute. A missed evaluation of a group loses what came since the one before. 0 is good.",
                "none",
                Query(
                    _label_group(f"rate(prometheus_rule_evaluation_failures_total{RULES}[{RATE}]) * 60"),
                    "failed {{group}}",
                ),
                Query(
                    _label_group(f"rate(prometheus_rule_group_iterations_missed_total{RULES}[{RATE}]) * 60"),
                    "missed {{group}}",
                ),
            ),
        ),
    )


def _label_group(expression: str) -> str:
    """Add the group's name without the path of its file, which Prometheus puts before it."""
    return f'label_replace({expression}, "group", "$1", "rule_group", ".*;(.*)")'
