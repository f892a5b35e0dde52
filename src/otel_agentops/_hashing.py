"""The identity of a value: 16 hex characters that are the same in a span, a label, a rule and a report.

Recipe 1: the first 16 hex digits of HMAC-SHA256(project key, "1:" + RFC 8785 canonical JSON of the value); plain
SHA-256 of the same bytes if no key is set. Published vectors: docs/identity.md, tests/vectors/identity.json.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Any

RECIPE = b"1:"
_EXACT_INTEGER = 2**53  # RFC 8785 writes numbers as IEEE 754 doubles: larger integers are not portable
_PART = 65_536  # characters of a text that are encoded at once


def identity(value: object, key: bytes | None = None) -> str:
    """Return the identity of a JSON value.

    Args:
        value: The value.
        key: The project's key; None for plain SHA-256.

    Raises:
        TypeError: JSON has no such type.
        ValueError: JSON has no such number or text.
    """
    message = RECIPE + canonical(value)
    digest = hmac.digest(key, message, "sha256") if key else hashlib.sha256(message).digest()
    return digest[:8].hex()


def identity_of_texts(texts: Sequence[str], key: bytes | None = None) -> str:
    """Return `identity` of a list of texts without a copy of a whole text."""
    digest: hmac.HMAC | hashlib._Hash = hmac.new(key, RECIPE, "sha256") if key else hashlib.sha256(RECIPE)
    for position, text in enumerate(texts):
        digest.update(b',"' if position else b'["')
        for start in range(0, len(text), _PART):
            digest.update(encode_basestring(text[start : start + _PART])[1:-1].encode())
        digest.update(b'"')
    digest.update(b"]" if texts else b"[]")
    return digest.hexdigest()[:16]


def canonical(value: object) -> bytes:
    """Return the RFC 8785 canonical JSON of a value.

    The standard encoder is 20 times faster and writes the same bytes for the part of JSON that `_is_plain` accepts; a
    property test in tests/runtime/test_fingerprint.py compares the two.
    """
    if _is_plain(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    import rfc8785

    return rfc8785.dumps(_make_portable(value))


def _is_plain(value: object) -> bool:
    """Return True if `json.dumps(sort_keys=True)` writes RFC 8785 bytes.

    Excluded: floats (number formatting), integers beyond 2**53, keys outside ASCII (Python sorts by code point, the
    RFC by UTF-16 unit), subclasses and other types. Both encoders refuse a lone surrogate with a ValueError.
    """
    if type(value) is str:
        return True
    if type(value) is dict:
        return all(type(k) is str and k.isascii() and _is_plain(v) for k, v in value.items())
    if type(value) is list or type(value) is tuple:
        return all(map(_is_plain, value))
    if type(value) is int:
        return -_EXACT_INTEGER < value < _EXACT_INTEGER
    return value is None or type(value) is bool


def _make_portable(value: Any) -> Any:
    """Replace integers beyond 2**53 by doubles, as JSON readers do; RFC 8785 cannot write them."""
    if isinstance(value, dict):
        return {str(k): _make_portable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_make_portable(v) for v in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT_INTEGER:
        return _to_double(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not JSON")
    return value


def _to_double(integer: int) -> float:
    try:
        return float(integer)
    except OverflowError:
        raise ValueError("an integer beyond the range of a double is not portable JSON") from None
