"""LiteLLM's table of prices is the one that comes with it: else it is fetched when the library is imported."""

from __future__ import annotations

import os

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
