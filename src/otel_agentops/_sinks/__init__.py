"""Where observations go: spans, client metrics and the sums of a task."""
