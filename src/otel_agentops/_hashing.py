"""The identity of a value: 16 hex characters that are the same in a span, a label, a rule and a report.

Recipe 1: the first 16 hex digits of HMAC-SHA256(project key, "1:" + RFC 8785 canonical JSON of the value); plain
SHA-256 of the same bytes where no key is set. Published vectors: docs/identity.md, tests/vectors/identity.json.
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
_PART = 65_536  # characters of a text that are written at once


def identity(value: Any, key: bytes | None = None) -> str:
    """The identity of a JSON value. Raises TypeError or ValueError for what JSON cannot carry."""
    message = RECIPE + canonical(value)
    digest = hmac.digest(key, message, "sha256") if key else hashlib.sha256(message).digest()
    return digest[:8].hex()


def identity_of_texts(texts: Sequence[str], key: bytes | None = None) -> str:
    """The identity of a list of texts: the same as `identity`, and no text is copied whole."""
    digest: Any = hmac.new(key, RECIPE, "sha256") if key else hashlib.sha256(RECIPE)
    for position, text in enumerate(texts):
        digest.update(b',"' if position else b'["')
        for start in range(0, len(text), _PART):
            digest.update(encode_basestring(text[start : start + _PART])[1:-1].encode())
        digest.update(b'"')
    digest.update(b"]" if texts else b"[]")
    return str(digest.hexdigest()[:16])


def canonical(value: Any) -> bytes:
    """RFC 8785 canonical JSON.

    The standard encoder is 20 times faster and equal for the part of JSON that `_plain` accepts; the property test
    tests/runtime/test_fingerprint.py holds the two together.
    """
    if _plain(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    import rfc8785

    return rfc8785.dumps(_portable(value))


def _plain(value: Any) -> bool:
    """Whether `json.dumps(sort_keys=True)` gives RFC 8785 bytes for this value.

    Excluded: floats (number formatting), integers beyond 2**53, keys outside ASCII (Python sorts by code point, the
    RFC by UTF-16 unit), subclasses and other types. A lone surrogate is refused by both, with a ValueError.
    """
    kind = type(value)
    if kind is str:
        return True
    if kind is dict:
        return all(type(k) is str and k.isascii() and _plain(v) for k, v in value.items())
    if kind is list or kind is tuple:
        return all(map(_plain, value))
    return value is None or kind is bool or (kind is int and -_EXACT_INTEGER < value < _EXACT_INTEGER)


def _portable(value: Any) -> Any:
    """The value with what RFC 8785 cannot write: integers beyond 2**53 become doubles, as in JSON readers."""
    if isinstance(value, dict):
        return {str(k): _portable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_portable(v) for v in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT_INTEGER:
        return _double(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not JSON")
    return value


def _double(integer: int) -> float:
    try:
        return float(integer)
    except OverflowError:
        raise ValueError("an integer beyond the range of a double is not portable JSON") from None
