"""A bundle as one HTML file that opens offline: the conversation to read, and the bytes as its data.

What was recorded is hostile. It stands in the page as JSON in a data block, with every character escaped that could end
the block, and reaches the document as text alone. The policy of the page allows one script and one style by their hash,
and no request to anywhere.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator
from html import escape
from pathlib import Path

from otel_agentops.recorder.commands.bundle import Bundle, dump_bundle
from otel_agentops.recorder.commands.steps import dump_json
from otel_agentops.recorder.commands.view import build_turns, dump_turns, format_time

_PACKED_FROM = 262_144  # characters of data
_UNSAFE = "<>&\u2028\u2029"  # could end the data block


def render_bundle(bundle: Bundle) -> str:
    """Render a bundle as a page."""
    style, script = (Path(__file__).with_name(f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    title = f"Record of {bundle.source.get('asked_for') or bundle.source.get('trace_id')}"
    turns = dump_turns(build_turns(bundle.steps))
    document = {**dump_bundle(bundle), "title": title, "facts": list(_list_facts(bundle)), "turns": turns}
    data = dump_json(document, escaped=_UNSAFE)
    kind = ""
    if len(data) > _PACKED_FROM:
        kind = " data-packed"
        data = base64.b64encode(gzip.compress(data.encode(), mtime=0)).decode()
    policy = (
        f"default-src 'none'; script-src {_hash_text(script)}; style-src {_hash_text(style)}; base-uri 'none'; "
        "form-action 'none'"
    )
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<noscript>This page needs JavaScript to show its data; it loads nothing from anywhere.</noscript>
<script type="application/json" id="bundle"{kind}>{data}</script>
<script>{script}</script>
</body>
</html>
"""


def _hash_text(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _list_facts(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """Yield what the head of the page says."""
    source = bundle.source
    if source.get("trace_id"):
        yield "trace", source["trace_id"]
    names = [(facts.get("service"), facts.get("service_version")) for facts in bundle.writers.values()]
    services = {" ".join(filter(None, name)) for name in names}
    yield "service", ", ".join(sorted(services)) or "unknown"
    yield "exported", format_time(source.get("exported_ns", 0))
    yield "secrets", "taken out by pattern" if bundle.is_redacted else "not taken out"
    proven = sum(step.entry.ref in bundle.proofs for step in bundle.steps)
    yield "evidence", f"{proven} of {len(bundle.steps)} entries have a path to a signed checkpoint in this file"
