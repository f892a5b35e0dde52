"""The keys of the recorder of one process: each is loaded when it is needed, on the writer's thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from otel_agentops._sinks.recorder_users import Origin, find_users
from otel_agentops.recorder.keys import DataKey, KeyRing, load_master_key
from otel_agentops.recorder.users import hash_user, load_user_key
from otel_agentops.semconv import attributes as A


class ProcessKeys:
    """The keys of a directory, as far as this process has needed them.

    Args:
        root: The directory of the recorder.
        master_source: Where the master key is; None if content is not encrypted.
        hash_key: The project's key; None if it has none.
    """

    def __init__(self, root: Path, master_source: str | None, hash_key: bytes | None) -> None:
        self._root = root
        self._master_source = master_source
        self._hash_key = hash_key
        self._ring: KeyRing | None = None
        self._user_key: bytes | None = None

    def find_key(self, attributes: Mapping[str, Any], time_ns: int) -> DataKey | None:
        """Return the key for the content of an entry; None if content is not encrypted.

        If the key cannot be had it raises, and the entry is lost and counted: it must not be on disk in the clear.
        """
        ring = self.load_ring()
        if ring is None:
            return None
        tenant = attributes.get(A.TRAFFIC_TENANT)
        return ring.find_key(None if tenant is None else str(tenant), time_ns)

    def hash_users(self, origin: Origin, requests: Sequence[object]) -> list[str]:
        """Return the hashes of who is behind an operation."""
        return [hash_user(self._load_user_key(), user) for user in find_users(origin, requests)]

    def look_again(self) -> None:
        """Look at the keys on the disk again: nobody can read what is written under one that was destroyed."""
        if self._ring is not None:
            self._ring.look_again()
        self._user_key = None

    def load_ring(self) -> KeyRing | None:
        """Return the keys of the directory; None if content is not encrypted."""
        if self._ring is None and self._master_source is not None:
            self._ring = KeyRing(self._root, load_master_key(self._master_source))
        return self._ring

    def _load_user_key(self) -> bytes:
        if self._user_key is None:
            self._user_key = self._hash_key or load_user_key(self._root, self.load_ring(), creates=True)
            assert self._user_key is not None  # it was made
        return self._user_key
