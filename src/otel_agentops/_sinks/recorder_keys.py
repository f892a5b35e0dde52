"""The keys of the recorder of one process: each is loaded when it is needed, on the writer's thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from otel_agentops._sinks.recorder_users import Origin, find_users
from otel_agentops.recorder.keys import DataKey, KeyMissingError, KeyRing, load_ring, make_master_problem
from otel_agentops.recorder.segment import SegmentError
from otel_agentops.recorder.users import hash_user, load_user_key
from otel_agentops.semconv import attributes as A

_RETRY_S = 1.0  # after the master key could not be had: a command that is asked for it may be slow


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
        self._missing: tuple[str, str] | None = None  # not the error, whose frames have content
        self._missed_s = 0.0

    def find_key(self, attributes: Mapping[str, Any], time_ns: int) -> DataKey | None:
        """Return the key for the content of an entry; None if content is not encrypted.

        Raises:
            KeyMissingError: The key cannot be had. The entry is lost and counted: it must not be on disk in the clear.
        """
        ring = self.load_ring()
        if ring is None:
            return None
        tenant = attributes.get(A.TRAFFIC_TENANT)
        with self._blame_master_key():
            return ring.find_key(None if tenant is None else str(tenant), time_ns)

    def hash_users(self, origin: Origin, requests: Sequence[object]) -> list[str] | None:
        """Return the hashes of who is behind an operation; None if the key for that cannot be had."""
        try:
            return [hash_user(self._load_user_key(), user) for user in find_users(origin, requests)]
        except KeyMissingError:
            return None

    def look_again(self) -> None:
        """Look at the keys on the disk again: nobody can read what is written under one that was destroyed."""
        if self._ring is not None:
            self._ring.look_again()
        self._user_key = None

    def load_ring(self) -> KeyRing | None:
        """Return the keys of the directory; None if content is not encrypted.

        Raises:
            KeyMissingError: The master key cannot be had.
        """
        if self._ring is None and self._master_source is not None:
            if self._missing is not None and monotonic() - self._missed_s < _RETRY_S:
                raise KeyMissingError(*self._missing)
            try:
                self._ring = load_ring(self._root, self._master_source)
            except KeyMissingError as error:
                self._missing, self._missed_s = (error.problem, error.advice), monotonic()
                raise
        return self._ring

    @contextmanager
    def _blame_master_key(self) -> Iterator[None]:
        """Say of a key that another master key has wrapped that ours is the wrong one."""
        try:
            yield
        except SegmentError as error:
            if self._master_source is None:
                raise
            raise make_master_problem(self._master_source, error) from None

    def _load_user_key(self) -> bytes:
        if self._user_key is None:
            with self._blame_master_key():
                self._user_key = self._hash_key or load_user_key(self._root, self.load_ring(), creates=True)
            assert self._user_key is not None  # it was made
        return self._user_key
