"""The version of the package, as its metadata says."""

from __future__ import annotations

__version__ = "0.1.0.dev0"
