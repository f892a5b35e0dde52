"""Measurements; what they need of `tools/` and `examples/` is found without a setting."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("tools", "examples")]
