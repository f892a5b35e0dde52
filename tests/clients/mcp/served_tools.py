"""The tool server in a process of its own, with our instrumentation: each of its spans is a line of a file.

    python served_tools.py FILE [PORT]

Without a port it serves standard input and output. One of its tools is an agent.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from tool_server import make_server

from otel_agentops import task, tool
from otel_agentops.frameworks.mcp import Instrumentor
from otel_agentops.testing import capture, span_as_dict


class Lines(SpanExporter):
    def __init__(self, file: Path) -> None:
        self.file = file

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self.file.open("a") as lines:
            for span in spans:
                ids = {
                    "trace": f"{span.context.trace_id:032x}",
                    "parent": span.parent and f"{span.parent.span_id:016x}",
                }
                lines.write(json.dumps({**span_as_dict(span), **ids}) + "\n")
        return SpanExportResult.SUCCESS


def research(question: str) -> str:
    """Look something up."""
    with task("research"), tool("search", arguments={"question": question}):
        return "found"


def main() -> None:
    server = make_server()
    server.tool()(research)
    with capture(Instrumentor()) as seen:
        seen.tracer_provider.add_span_processor(SimpleSpanProcessor(Lines(Path(sys.argv[1]))))
        trace.set_tracer_provider(seen.tracer_provider)  # for the spans that 2.x makes by itself
        if len(sys.argv) == 2:
            server.run()
        elif hasattr(server.settings, "port"):  # 1.x
            server.settings.port = int(sys.argv[2])
            server.run("streamable-http")
        else:
            server.run("streamable-http", port=int(sys.argv[2]))


if __name__ == "__main__":
    main()
