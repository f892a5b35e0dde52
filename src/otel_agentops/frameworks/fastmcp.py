"""FastMCP: the span that its server makes for a `tools/call` gets what it lacks.

A call has three spans of others: that of its client, which the adapter of `mcp` enriches, that of `mcp` for the
message, and that of its server, which is complete only once the tool is found:
https://github.com/PrefectHQ/fastmcp/blob/main/src/fastmcp/server/telemetry.py
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from otel_agentops import _patching
from otel_agentops._foreign_spans import read_attributes
from otel_agentops._guard import guard
from otel_agentops._patching import ClientInfo, Method, PatchedLibrary, Target
from otel_agentops.frameworks.mcp._server import ServedCall, read_served
from otel_agentops.semconv import attributes as A


def wrap_span(original: Method, library: PatchedLibrary) -> Method:
    """Return the wrapper of the context manager that makes the span of a request, or completes it."""

    @contextmanager
    def server_span(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with original(*args, **kwargs) as span:
            block = read_span(**dict(zip(_PARAMETERS, args, strict=False)), **kwargs) if library.active else None
            with block or nullcontext():
                try:
                    yield span
                finally:
                    if block is not None:
                        tell_version(span)

    return server_span


@guard
def read_span(tool_name: str | None = None, **_: object) -> ServedCall | None:
    """Read the call of a tool; None for another request."""
    return None if tool_name is None else read_served(tool_name, {})


@guard
def tell_version(span: Any) -> None:
    """Tell the version that the tool declares: it is a part of its key, which the span has once the tool is found."""
    version = str(read_attributes(span).get(_KEY, "")).partition("@")[2]
    if version:
        span.set_attribute(A.TOOL_VERSION, version)


_KEY = "fastmcp.component.key"
_PARAMETERS = ("name", "method", "server_name", "component_type", "component_key")
LIBRARY = PatchedLibrary(
    "fastmcp",
    ">=4.2.3,<5",
    (Target("fastmcp.server.server", "", "server_span", wrap_span, (*_PARAMETERS, "tool_name")),),
    ClientInfo(
        operations=("execute_tool (its own spans of `tools/call`)",),
        native="on if there is a global tracer provider: its spans of clients and servers get what they lack",
        not_covered=("resources and prompts: they execute no tool",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_fastmcp`."""

    libraries = (LIBRARY,)


FastMCPInstrumentor = Instrumentor  # the name that others give theirs
