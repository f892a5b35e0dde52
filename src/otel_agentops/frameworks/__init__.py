"""Adapters of agent frameworks and tool protocols: see docs/frameworks.md."""
