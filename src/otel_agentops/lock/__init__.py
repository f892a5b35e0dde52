"""What may run: `agentops.lock` says which values of each variable are approved, and by whom."""

from __future__ import annotations

from otel_agentops.lock.model import Entry, Lock, LockError
from otel_agentops.lock.text import load

__all__ = ["Entry", "Lock", "LockError", "load"]
