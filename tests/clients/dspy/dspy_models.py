"""Models of DSPy on a fake provider; what it caches is kept in a folder of its own."""

from __future__ import annotations

import inspect
import os
import tempfile

# Read when the libraries are imported; the second keeps litellm from asking the network for its price list.
os.environ.update(DSPY_CACHEDIR=tempfile.mkdtemp(), LITELLM_LOCAL_MODEL_COST_MAP="True")

import dspy as library

from otel_agentops.testing.fake_provider import FakeProvider

# Newer versions have a client of their own, unless they are asked for this one.
ENGINE = {"engine": "litellm"} if "engine" in inspect.signature(library.LM.__init__).parameters else {}


def make_model(provider: FakeProvider, cache: bool = False, **engine: str) -> library.LM:
    options = {"api_base": provider.openai_url, "api_key": "k", "cache": cache, "num_retries": 0}
    return library.LM("openai/gpt-x", **options, **(engine or ENGINE))
