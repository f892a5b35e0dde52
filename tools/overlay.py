"""The part of the collector overlay that follows from slo/: what stands between the marks is written anew.

python tools/overlay.py            write it
python tools/overlay.py --check    exit 1 if it is not up to date
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from otel_agentops import slo
from otel_agentops.slo import collector

ROOT = Path(__file__).resolve().parents[1]
OVERLAY = ROOT / "collector-config" / "otel-agentops.yaml"
_MARKED = re.compile(r"(  # -- generated from slo/: (\w+)\n).*?(  # -- end\n)", re.DOTALL)


def main(arguments: list[str]) -> int:
    """Write the overlay, or with `--check` only compare it."""
    before = OVERLAY.read_text()
    after = fill_marks(before)
    if "--check" in arguments and before != after:
        print(f"{OVERLAY.relative_to(ROOT)} does not follow from slo/; run `make gen` and commit it", file=sys.stderr)
        return 1
    if before != after:
        OVERLAY.write_text(after)
        print(f"wrote {OVERLAY.relative_to(ROOT)}")
    return 0


def fill_marks(overlay: str) -> str:
    """Return the overlay with the default indicators of today between its marks."""
    fragment = collector.build_fragment(collector.collect_indicators(slo.load(ROOT / "slo")))
    sections = {
        name: collector.render_yaml({"section": section}).partition("\n")[
            2
        ]  # indented as below a section of the overlay
        for name, section in fragment.items()
    }
    return _MARKED.sub(lambda match: match[1] + sections[match[2]] + match[3], overlay)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
