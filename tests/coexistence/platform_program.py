"""One call of an application that Langfuse, OpenLLMetry or Phoenix traces, by the lines of docs/coexistence.md.

    python tests/coexistence/platform_program.py PLATFORM OPENAI_URL [theirs]

`theirs` leaves out what is below the comment in the lines. Where the spans go is in the environment, as it is for an
application.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from opentelemetry import trace

DOCUMENT = Path(__file__).parents[2] / "docs" / "coexistence.md"


def read_lines(platform: str) -> tuple[str, str]:
    """Return their lines and ours."""
    block = re.search(rf"^\*\*{platform}\*\*.*?```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    assert block is not None, f"the document has no lines for {platform}"
    theirs, comment, ours = block[1].partition("# otel-agentops\n")
    assert comment
    return theirs, ours


def main(platform: str, openai_url: str, only: str = "") -> None:
    theirs, ours = read_lines(platform)
    names: dict[str, Any] = {}
    exec(theirs if only else theirs + ours, names)
    if "OpenAI" not in names:
        exec("from openai import OpenAI", names)
    client = names["OpenAI"](api_key="k", base_url=openai_url)
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    client.chat.completions.create(model="gpt-x", messages=turns)
    provider: Any = trace.get_tracer_provider()
    provider.force_flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
