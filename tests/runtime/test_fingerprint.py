"""The identity is RFC 8785 and HMAC-SHA256, on the fast path as elsewhere, and as published."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_agentops import _hashing
from otel_agentops._hashing import canonical, identity, identity_of_texts
from rotation import scale_examples

ROOT = Path(__file__).parents[2]
PUBLISHED = json.loads((ROOT / "tests/vectors/identity.json").read_text())

texts = st.text(st.characters(exclude_categories=["Cs"]))
exact = st.integers(-(2**53) + 1, 2**53 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
keys = texts | st.text(st.characters(codec="ascii"))


def json_values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)


@settings(deadline=None, max_examples=scale_examples(300))
@given(json_values(st.none() | st.booleans() | exact | finite | texts))
@example({"\U0001f600": 1, "\ufb01": 2})
@example({"b": {"\x7f": "\u2028", '"': "\\"}, "a": ["\x00\x1f\b\f\n\r\t/"]})
def test_canonical_json_equals_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@settings(deadline=None, max_examples=scale_examples(300))
@given(json_values(st.none() | st.booleans() | exact | texts))
def test_fast_path_is_taken_only_if_it_equals_rfc_8785(value: Any) -> None:
    fast = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if _hashing._is_plain(value):
        assert fast == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [{"name": "t", "schema": {"a": [1, True, None]}}, ["a", "ä"], -(2**53) + 1, ("a",)])
def test_tools_and_prompts_take_the_fast_path(value: Any) -> None:
    assert _hashing._is_plain(value)


@pytest.mark.parametrize("value", [1.0, {"ä": 1}, [2**53], {1: "a"}, type("Text", (str,), {})("a"), object()])
def test_values_that_json_writes_differently_skip_the_fast_path(value: Any) -> None:
    assert not _hashing._is_plain(value)


@settings(deadline=None)
@given(st.integers())
def test_large_integer_is_rounded_to_a_double(number: int) -> None:
    try:
        expected = rfc8785.dumps(float(number) if abs(number) >= 2**53 else number)
    except OverflowError:
        with pytest.raises(ValueError, match="integer beyond the range of a double"):
            canonical([number])
    else:
        assert canonical(number) == expected


NOT_JSON = [float("nan"), float("inf"), 10**400, "\ud800", {"\ud800": 1}, object(), {1, 2}, b"x"]


@pytest.mark.parametrize("value", NOT_JSON, ids=range(len(NOT_JSON)))
def test_value_outside_json_is_refused(value: Any) -> None:
    for given_value in (value, [value, 0.5]):
        with pytest.raises((TypeError, ValueError)):
            canonical(given_value)


# -- published


@pytest.mark.parametrize("vector", PUBLISHED["vectors"], ids=lambda vector: vector["about"])
def test_published_vector_holds(vector: dict[str, Any]) -> None:
    assert canonical(vector["value"]).decode() == vector["canonical"]
    assert identity(vector["value"]) == vector["sha256"]
    assert identity(vector["value"], PUBLISHED["key"].encode()) == vector["hmac_sha256"]


def test_published_vectors_follow_the_recipe() -> None:
    prefix = f"{PUBLISHED['recipe']}:".encode()
    assert prefix == _hashing.RECIPE
    for vector in PUBLISHED["vectors"]:
        message = prefix + vector["canonical"].encode()
        assert vector["sha256"] == hashlib.sha256(message).hexdigest()[:16]
        assert vector["hmac_sha256"] == hmac.new(PUBLISHED["key"].encode(), message, "sha256").hexdigest()[:16]


def test_documented_code_computes_the_same_identity() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/identity.md").read_text(), flags=re.DOTALL)
    documented: dict[str, Any] = {}
    exec(code, documented)
    for value in (["Greet {name}."], {"temperature": 0.2}, [{"ä": None}]):
        assert documented["identity"](value) == identity(value)
        assert documented["identity"](value, b"key") == identity(value, b"key")


@settings(deadline=None)
@given(st.lists(texts), st.none() | st.just(b"a key"))
@example(['\x00\x1f\b"\\' * 30_000, "", "\U0001f600" * 70_000], None)
def test_text_hashed_in_parts_has_the_same_identity(parts: list[str], key: bytes | None) -> None:
    assert identity_of_texts(parts, key) == identity(parts, key)


def test_lone_surrogate_in_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        identity_of_texts(["\ud800"])
