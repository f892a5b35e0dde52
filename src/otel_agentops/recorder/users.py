"""Hashes of the ids of people: who has an id and the key finds the person's entries, and no id is on the disk.

The hash is an HMAC-SHA256, because ids can be guessed: addresses, telephone numbers, numbers in a row. Its key is made
of the project's key (`OTEL_AGENTOPS_HASH_KEY`) if there is one, so that all hosts have the same hashes; else it is 32
random bytes in `keys/users.secret`, which stay as long as the directory does and go to no store.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from otel_agentops.recorder.keys import KEY_BYTES, KeyRing, create_key_file
from otel_agentops.recorder.segment import SegmentError

_PURPOSE = b"otel-agentops recorder user\0"  # so that no hash of another kind is the same
_HEX_DIGITS = 32


def hash_user(key: bytes, user_id: str) -> str:
    """Return the hash of a person's id."""
    return hmac.digest(key, _PURPOSE + user_id.encode(errors="surrogatepass"), "sha256").hex()[:_HEX_DIGITS]


def load_user_key(root: Path, keys: KeyRing | None, *, creates: bool) -> bytes | None:
    """Return the key of a directory for the hashes of users; None if it has none.

    Args:
        root: The directory of the recorder.
        keys: Those of its content; their master key wraps this one. None if content is not encrypted.
        creates: True to make one if there is none.

    Raises:
        OSError: It cannot be read or written.
        SegmentError: A master key has wrapped it that is not at hand.
    """
    path = root / "keys" / "users.secret"
    if not path.exists():
        if not creates:
            return None
        key = os.urandom(KEY_BYTES)
        create_key_file(path, key if keys is None else keys.wrap(path, key))
    data = path.read_bytes()
    if len(data) == KEY_BYTES:
        return data
    if keys is None:
        raise SegmentError(f"{path}: the key is wrapped by a master key; name that in OTEL_AGENTOPS_RECORDER_KEY")
    return keys.unwrap(path, data)


def list_user_keys(root: Path, keys: KeyRing | None, hash_key: bytes | None) -> list[bytes]:
    """Return every key that may have made a hash of a user here, the project's first.

    Raises:
        OSError: That of the directory cannot be read.
        SegmentError: A master key has wrapped it that is not at hand.
    """
    own = load_user_key(root, keys, creates=False)
    return [key for key in (hash_key, own) if key is not None]
