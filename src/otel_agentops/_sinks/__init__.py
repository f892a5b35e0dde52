"""Sinks of observations: spans, client metrics, verdicts and the sums of a task."""
