"""Approved values: `agentops.lock` says which values of each variable may run, and who answers for them."""

from __future__ import annotations

from otel_agentops._yaml import InputError
from otel_agentops.lock.model import Entry, Lock
from otel_agentops.lock.text import load

__all__ = ["Entry", "InputError", "Lock", "load"]
