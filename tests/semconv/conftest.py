"""The registry as the tests of names see it, and the upstream files where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import semconv_registry


@pytest.fixture(scope="session")
def files() -> semconv_registry.Files:
    return semconv_registry.load()


@pytest.fixture(scope="session")
def facts() -> dict[str, Any]:
    return semconv_registry.load_facts()


@pytest.fixture(scope="session")
def registry(files: semconv_registry.Files, facts: dict[str, Any]) -> semconv_registry.Registry:
    return semconv_registry.resolve(files, facts)


@pytest.fixture(scope="session")
def upstream() -> Path:
    """The directory of the upstream registries: `genai/`, `core/` and Weaver's JSON schema."""
    named = os.environ.get("SEMCONV_UPSTREAM")
    if not named:
        pytest.skip(
            "SEMCONV_UPSTREAM is unset; it names the directory of genai/, core/ and weaver-semconv.schema.v2.json"
        )
    if not (Path(named) / "genai").is_dir():
        pytest.fail(f"SEMCONV_UPSTREAM={named} holds no genai/; correct the path")
    return Path(named)
