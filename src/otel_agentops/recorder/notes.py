"""Signed checkpoints of a writer's tree, in the formats of C2SP: tlog-checkpoint in a signed note, Ed25519.

https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note. By default a writer makes a key that never leaves its
memory: when the process is gone nobody can sign for it any more, and its public key is in every head that it emitted.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import NamedTuple, Protocol

_ED25519 = b"\x01"
_DASH = "\N{EM DASH}"


class Sign(Protocol):
    """A function that signs bytes."""

    def __call__(self, data: bytes, /) -> bytes:
        """Return the signature."""


class Signer(NamedTuple):
    """A key that signs checkpoints.

    Attributes:
        name: Its name in notes.
        public: The public key, 32 bytes.
        sign: Signs bytes.
    """

    name: str
    public: bytes
    sign: Sign

    @property
    def verifier_key(self) -> str:
        """Return the key that verifies, as C2SP writes it: `name+hash+key`."""
        encoded = base64.b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{_hash_key(self.name, self.public).hex()}+{encoded}"


def make_signer(name: str, key_file: str | None = None) -> Signer | None:
    """Return a signer; None if `cryptography` is not installed.

    Args:
        name: The name of the key.
        key_file: A file with a private key of Ed25519, PEM or 32 raw bytes; None for a new one that is kept nowhere.

    Raises:
        ValueError: The file has no such key.
        OSError: The file cannot be read.
    """
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        return None
    if key_file is None:
        key = Ed25519PrivateKey.generate()
    else:
        data = Path(key_file).read_bytes()
        if len(data) == 32:
            key = Ed25519PrivateKey.from_private_bytes(data)
        else:
            loaded = serialization.load_pem_private_key(data, None)
            if not isinstance(loaded, Ed25519PrivateKey):
                raise ValueError(f"{key_file}: the key is not one of Ed25519")
            key = loaded
    return Signer(name, key.public_key().public_bytes_raw(), key.sign)


def _hash_key(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def make_checkpoint(origin: str, size: int, root: bytes, signer: Signer | None) -> str:
    """Return the checkpoint of a tree, with a signature if there is a signer."""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    if signer is None:
        return text + "\n"
    signature = _hash_key(signer.name, signer.public) + signer.sign(text.encode())
    return f"{text}\n{_DASH} {signer.name} {base64.b64encode(signature).decode()}\n"


class Checkpoint(NamedTuple):
    """The content of a checkpoint: who, how many entries, and their root."""

    origin: str
    size: int
    root: bytes


def parse_checkpoint(note: str) -> Checkpoint:
    """Return what a checkpoint says, whoever signed it.

    Raises:
        ValueError: It is no checkpoint.
    """
    origin, size, root = note.split("\n\n")[0].split("\n")[:3]
    return Checkpoint(origin, int(size), base64.b64decode(root, validate=True))


def verify_checkpoint(note: str, verifier_key: str) -> bool:
    """Return True if a checkpoint has a good signature of this key.

    Raises:
        ValueError: `cryptography` is not installed, or the key is not one of Ed25519.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise ValueError("signatures cannot be verified: install otel-agentops[recorder]") from None
    name, key_hash, encoded = verifier_key.split("+", 2)
    public = base64.b64decode(encoded)
    if public[:1] != _ED25519 or _hash_key(name, public[1:]).hex() != key_hash:
        raise ValueError(f"{verifier_key}: no verifier key of Ed25519")
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        signer, _, signature = rest.rpartition(" ")
        blob = base64.b64decode(signature or "")
        if dash == _DASH and signer == name and blob[:4].hex() == key_hash:
            try:
                Ed25519PublicKey.from_public_bytes(public[1:]).verify(blob[4:], f"{text}\n".encode())
            except InvalidSignature:
                return False
            return True
    return False
