"""Encryption of content at rest: AES-256-GCM under a data key for each tenant and month, wrapped by a master key.

The master key is 32 bytes, raw, hex or base64, in a file or printed by a command (`command:...`, say of a KMS). Data
keys are beside the segments, wrapped: to delete a tenant is to delete its keys. Heads stay clear.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shlex
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from otel_agentops.recorder.files import sync_folder
from otel_agentops.recorder.notes import Signer, make_signer
from otel_agentops.recorder.segment import KeyGoneError, NoKeyError, SegmentError

_COMMAND = "command:"
_COMMAND_S = 30
_NONCE = 12
KEY_BYTES = 32
NO_TENANT = "-"  # in the place of a tenant where the application names none
_MASTER_ADVICE = "name a file with 32 bytes, raw, as hex or as base64, or command: and a command that prints them"
_SIGNING_ADVICE = "name a file with a key of Ed25519, as PEM or 32 raw bytes"


class KeyMissingError(ValueError):
    """A key of the recorder that cannot be had.

    Attributes:
        problem: The variable, what is wrong with it, and what is not recorded.
        advice: The next step.
    """

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"{problem}; {advice}")
        self.problem = problem
        self.advice = advice


def import_ciphers() -> None:
    """Import what keys are used with, if it is installed."""
    with suppress(ImportError):
        import cryptography.hazmat.primitives.asymmetric.ed25519
        import cryptography.hazmat.primitives.ciphers.aead
        import cryptography.hazmat.primitives.serialization  # noqa: F401


def load_master_key(source: str) -> bytes:
    """Return the master key.

    Args:
        source: The path of a file, or `command:` and a command that prints it.

    Raises:
        ValueError: It is no key of 32 bytes, the file cannot be read, or the command failed. The text does not quote
            the source, because somebody may have written the key itself there.
    """
    if source.startswith(_COMMAND):
        data = _run_command(source.removeprefix(_COMMAND))
    else:
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            if decode_key(os.fsencode(source)) is not None:
                raise ValueError("it is the key itself, not a file that has the key") from None
            raise ValueError(f"the file cannot be read: {error.strerror}") from None
    key = data if len(data) == KEY_BYTES else decode_key(data)
    if key is None:
        raise ValueError("the key is not 32 bytes, raw, as hex or as base64")
    return key


def load_ring(root: Path, source: str) -> KeyRing:
    """Return the data keys of a directory, for a process that records.

    Args:
        root: The directory of the recorder.
        source: The master key, as `load_master_key` takes it.

    Raises:
        KeyMissingError: The master key cannot be had.
    """
    try:
        return KeyRing(root, load_master_key(source))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise make_master_problem(source, reason) from None


def make_master_problem(source: str, reason: object) -> KeyMissingError:
    """Return the error of a master key that cannot be used."""
    if source.startswith(_COMMAND):  # its arguments may be credentials
        program, space, _ = source.removeprefix(_COMMAND).strip().partition(" ")
        source = f"{_COMMAND}{program} ..." if space else f"{_COMMAND}{program}"
    value = "" if decode_key(os.fsencode(source)) else f"={source!r}"  # a key itself is not for a log
    problem = f"OTEL_AGENTOPS_RECORDER_KEY{value}: {reason}; no entry with content is recorded"
    return KeyMissingError(problem, _MASTER_ADVICE)


def load_signer(name: str, key_file: str | None) -> Signer | None:
    """Return what signs the checkpoints of a process that records, as `make_signer` does.

    Raises:
        KeyMissingError: The file has no such key, or cannot be read.
    """
    try:
        return make_signer(name, key_file)
    except (OSError, ValueError, TypeError) as error:  # the last one of a key that has a password
        reason = error.strerror if isinstance(error, OSError) else "no private key of Ed25519 is in it"
        problem = f"OTEL_AGENTOPS_RECORDER_SIGNING_KEY={key_file!r}: {reason}; nothing is recorded"
        raise KeyMissingError(problem, _SIGNING_ADVICE) from None


def _run_command(text: str) -> bytes:
    """Return what a command prints.

    Raises:
        ValueError: It cannot be run, takes too long, or fails.
    """
    try:
        command = shlex.split(text)
        if not command:
            raise ValueError("no command is named")
        result = subprocess.run(command, capture_output=True, timeout=_COMMAND_S, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"the command takes longer than {_COMMAND_S} s") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"the command cannot be run: {reason}") from None
    if result.returncode:
        raise ValueError(f"the command exits with {result.returncode}")
    return result.stdout


def decode_key(data: bytes) -> bytes | None:
    """Return the 32 bytes that a text has as hex or as base64; None if it has none."""
    text = data.strip()
    for decode in (binascii.unhexlify, lambda each: base64.b64decode(each, validate=True)):
        try:
            key = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(key) == KEY_BYTES:
            return bytes(key)
    return None


def _make_aead(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise ValueError("content cannot be encrypted: install otel-agentops[recorder]") from None
    return AESGCM(key)


class DataKey(NamedTuple):
    """A key for the content of one tenant and month.

    Attributes:
        id: In the header of each frame that it encrypts.
        aead: The cipher.
    """

    id: bytes
    aead: Any

    def encrypt(self, block: bytes, associated: bytes) -> bytes:
        """Return a block encrypted, bound to the heads of its frame."""
        nonce = os.urandom(_NONCE)
        sealed: bytes = self.aead.encrypt(nonce, block, associated)
        return nonce + sealed


class KeyRing:
    """The data keys of a directory.

    Args:
        root: The directory of the recorder.
        master_key: Wraps them.
    """

    def __init__(self, root: Path, master_key: bytes) -> None:
        self._folder = root / "keys"
        self._master = _make_aead(master_key)
        self._keys: dict[str, DataKey] = {}
        self._files: dict[str, tuple[int, int]] = {}  # inode and time of those that they were loaded from
        self._looked_at: set[str] = set()
        self._by_id: dict[bytes, DataKey] = {}

    def find_key(self, tenant: str | None, time_ns: int) -> DataKey:
        """Return the key of a tenant for a month, a new one if there is none yet.

        Raises:
            OSError: It cannot be written.
            NoKeyError: It is there, and another master key has wrapped it.
        """
        name = f"{name_tenant(tenant)}-{time.strftime('%Y-%m', time.gmtime(time_ns / 1e9))}"
        if name not in self._looked_at:
            self._look_at(name)
            self._looked_at.add(name)
        return self._keys[name]

    def _look_at(self, name: str) -> None:
        """Load a key unless its file is the one that it was loaded from."""
        path = self._folder / f"{name}.key"
        if not path.exists():
            create_key_file(path, self.wrap(path, os.urandom(KEY_BYTES)))
        state = path.stat()
        file = (state.st_ino, state.st_mtime_ns)
        if self._files.get(name) != file:
            self._keys[name] = self._read(path)
            self._files[name] = file

    def wrap(self, path: Path, key: bytes) -> bytes:
        """Return what the file of a key is to have."""
        nonce = os.urandom(_NONCE)
        wrapped: bytes = self._master.encrypt(nonce, key, path.stem.encode())
        return nonce + wrapped

    def unwrap(self, path: Path, data: bytes) -> bytes:
        """Return the key that a file has.

        Raises:
            NoKeyError: Another master key has wrapped it.
        """
        from cryptography.exceptions import InvalidTag

        try:
            key: bytes = self._master.decrypt(data[:_NONCE], data[_NONCE:], path.stem.encode())
        except InvalidTag:
            raise NoKeyError(f"{path}: another master key has wrapped this key") from None
        return key

    def _read(self, path: Path) -> DataKey:
        data = path.read_bytes()
        return DataKey(hashlib.sha256(data).digest()[:8], _make_aead(self.unwrap(path, data)))

    def decrypt(self, key: bytes, block: bytes, associated: bytes) -> bytes:
        """Return a block as it was.

        Raises:
            KeyGoneError: Its key is gone.
            SegmentError: The block was changed.
        """
        from cryptography.exceptions import InvalidTag

        aead = self._find_by_id(key).aead
        try:
            data: bytes = aead.decrypt(block[:_NONCE], block[_NONCE:], associated)
        except InvalidTag:
            raise SegmentError(f"the content under the key {key.hex()} was changed") from None
        return data

    def encrypt(self, key: bytes, block: bytes, associated: bytes) -> bytes:
        """Return a block that is written anew under the key that it had.

        Raises:
            KeyGoneError: The key is gone.
        """
        return self._find_by_id(key).encrypt(block, associated)

    def _find_by_id(self, key: bytes) -> DataKey:
        if key not in self._by_id:
            for path in self._folder.glob("*.key"):
                loaded = self._read(path)
                self._by_id[loaded.id] = loaded
        if key not in self._by_id:
            raise KeyGoneError(f"the key {key.hex()} of the content is gone")
        return self._by_id[key]

    def look_again(self) -> None:
        """Look at the file of each key when it is next used: another process may have destroyed it."""
        self._looked_at.clear()

    def delete_tenant(self, tenant: str | None) -> list[str]:
        """Delete the keys of a tenant, of every month; return their names."""
        paths = self.list_tenant(tenant)
        for path in paths:
            path.unlink()
        self._keys.clear()
        self._files.clear()
        self._looked_at.clear()
        self._by_id.clear()
        return [path.stem for path in paths]

    def list_tenant(self, tenant: str | None) -> list[Path]:
        """Return the files of a tenant's keys."""
        return sorted(self._folder.glob(f"{name_tenant(tenant)}-*.key"))


def create_key_file(path: Path, data: bytes) -> None:
    """Create the file of a key on the disk; of two processes that do it at once the first one's counts.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}-{os.urandom(4).hex()}")
    try:
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(new, path)
        sync_folder(path.parent)
    finally:
        new.unlink(missing_ok=True)


def name_tenant(tenant: str | None) -> str:
    """Return what stands for a tenant in the names of its keys."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:16] if tenant else NO_TENANT
