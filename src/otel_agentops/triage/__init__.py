"""Triage: what a Prometheus with our rules knows about a budget that burns, in words for the person on call."""
