"""Adapters of libraries that judge answers: see docs/frameworks.md."""
