"""Sealed segments in an object store: put there by a process of its own, and brought back to be read.

`obstore` is used if it is installed and knows the URL, else `fsspec`; for a directory neither is needed. A sealed
segment changes when content is deleted from it, and then its size does: one of the same name and size is not put again.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from otel_agentops._yaml import InputError
from otel_agentops.recorder.deletion import HOLD
from otel_agentops.recorder.stripping import read_strips

_ENDINGS = (".seg", ".note")


class Store(Protocol):
    """Named bytes under one URL."""

    def list_names(self) -> Iterator[tuple[str, int]]:
        """Yield the names of what is there, with sizes."""

    def read(self, name: str) -> bytes:
        """Return what has a name."""

    def write(self, name: str, data: bytes, *, replaces: bool = False) -> None:
        """Put bytes under a name that is free, or that `replaces` says may be taken."""


class _ObjectStore:
    """A store of obstore: https://developmentseed.org/obstore/."""

    def __init__(self, obstore: Any, url: str) -> None:
        self._obstore = obstore
        self._url = url
        self._store = obstore.store.from_url(url)

    def list_names(self) -> Iterator[tuple[str, int]]:
        with self._name_errors("its list"):
            for batch in self._obstore.list(self._store):
                for described in batch:
                    yield described["path"], described["size"]

    def read(self, name: str) -> bytes:
        with self._name_errors(name):
            return bytes(self._obstore.get(self._store, name).bytes())

    def write(self, name: str, data: bytes, *, replaces: bool = False) -> None:
        with self._name_errors(name), suppress(self._obstore.exceptions.AlreadyExistsError):
            # Another process was faster if it exists: the bytes are the same.
            self._obstore.put(self._store, name, data, mode="overwrite" if replaces else "create")

    @contextmanager
    def _name_errors(self, what: str) -> Iterator[None]:
        """Turn an error of the library into one that commands tell: its first line, for the others are a trace."""
        try:
            yield
        except self._obstore.exceptions.BaseError as error:
            raise OSError(f"{self._url}: {what}: {(str(error).strip() or 'no answer').splitlines()[0]}") from None


class _FileSystem:
    """A file system of fsspec."""

    def __init__(self, fsspec: Any, url: str) -> None:
        self._files, root = fsspec.core.url_to_fs(url)
        self._root = root.rstrip("/")

    def list_names(self) -> Iterator[tuple[str, int]]:
        if self._files.exists(self._root):
            for name, facts in self._files.find(self._root, detail=True).items():
                yield name[len(self._root) :].lstrip("/"), facts["size"]

    def read(self, name: str) -> bytes:
        return bytes(self._files.cat_file(f"{self._root}/{name}"))

    def write(self, name: str, data: bytes, *, replaces: bool = False) -> None:
        path = f"{self._root}/{name}"
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(path, data)


class _Folder:
    """A directory of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list_names(self) -> Iterator[tuple[str, int]]:
        for path in self._root.rglob("*"):
            if path.is_file() and not path.name.endswith(".part"):
                yield path.relative_to(self._root).as_posix(), path.stat().st_size

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()

    def write(self, name: str, data: bytes, *, replaces: bool = False) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        try:
            with open(part, "wb", opener=_open_alone) as file:
                file.write(data)
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)  # half a segment would take the room that the next one needs
            raise OSError(f"{path}: cannot be written: {error.strerror or error}") from None


def _open_alone(path: str, flags: int) -> int:
    """Open a file that only its owner can read, as the segment was where it came from."""
    return os.open(path, flags, 0o600)


def open_store(url: str) -> Store:
    """Open a store by its URL; a text without a scheme is a directory.

    Raises:
        InputError: No library for it is installed.
    """
    if "://" not in url:
        return _Folder(Path(url))
    if url.startswith("file://"):
        return _Folder(Path(url.removeprefix("file://")))
    obstore = _load_obstore()
    if obstore is not None:
        try:
            return _ObjectStore(obstore, url)
        except obstore.exceptions.BaseError as error:
            reason = str(error).splitlines()[0]
    else:
        reason = "obstore is not installed"
    try:
        import fsspec
    except ModuleNotFoundError:
        raise InputError(f"{url}: {reason}; pip install obstore, or fsspec and its part for this URL") from None
    try:
        return _FileSystem(fsspec, url)
    except (ImportError, ValueError) as error:
        raise InputError(f"{url}: {error}") from None


def _load_obstore() -> Any | None:
    """Return the library; None if it is not installed."""
    try:
        import obstore
        import obstore.exceptions
        import obstore.store
    except ModuleNotFoundError:
        return None
    return obstore


class Shipment(NamedTuple):
    """The segments that were put into a store.

    Attributes:
        names: Of those that were put, new ones and those that lost content here.
        byte_count: In all.
        present_count: How many were there before.
        kept: Of those that lost content there and have it here: the store's were left as they are.
    """

    names: list[str]
    byte_count: int
    present_count: int
    kept: list[str]


def ship_segments(root: Path, store: Store) -> Shipment:
    """Put the sealed segments of a directory into a store; content that was deleted here goes there, too."""
    present = dict(store.list_names())
    names, byte_count, present_count, kept = [], 0, 0, []
    for path in sorted(path for path in root.rglob("*") if path.suffix in _ENDINGS):
        name = path.relative_to(root).as_posix()
        data = path.read_bytes()
        if present.get(name) == len(data):
            present_count += 1
            continue
        if name in present and not _is_behind(store.read(name), data):
            kept.append(name)
            continue
        store.write(name, data, replaces=name in present)
        names.append(name)
        byte_count += len(data)
    return Shipment(names, byte_count, present_count, kept)


def _is_behind(there: bytes, here: bytes) -> bool:
    """Return True if a segment of a store lost nothing that it still has here, or if it was not put whole."""
    strips = read_strips(io.BytesIO(there))
    if strips is None:
        return True
    scopes = {strip["scope"] for strip in read_strips(io.BytesIO(here)) or ()}
    return all(strip["scope"] in scopes for strip in strips)


def _is_mirrored(name: str) -> bool:
    return name.endswith(_ENDINGS) or name.rpartition("/")[2] == HOLD


def mirror_store(url: str) -> Path:
    """Bring what is new in a store to a cache of this user, and return that directory.

    Raises:
        InputError: No library for the URL is installed.
    """
    store = open_store(url)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "otel-agentops" / "records" / hashlib.sha256(url.encode()).hexdigest()[:16]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    here = _Folder(folder)
    present = dict(here.list_names())
    wanted = {name: size for name, size in store.list_names() if _is_mirrored(name)}
    for name, size in wanted.items():
        if present.get(name) != size:
            here.write(name, store.read(name))
    for name in present.keys() - wanted.keys():
        if _is_mirrored(name):  # deleted there, so it may not stay here
            (folder / name).unlink()
    return folder
