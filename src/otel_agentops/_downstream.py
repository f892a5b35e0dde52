"""The request that failed below a tool or a retrieval, as the instrumentation of its client tells it.

Only a span that failed costs anything. Address and status are kept; ports, paths and queries are not.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan

from otel_agentops import _foreign_spans
from otel_agentops._placement import find_placement
from otel_agentops._task_values import OTHER, limit_value
from otel_agentops.semconv import attributes as A

# Keys of the convention of now and of those before 1.21, which some instrumentations still write by default.
_NAME_KEYS = ("service.peer.name", "peer.service", A.SERVER_ADDRESS, "net.peer.name")
_URL_KEYS = ("url.full", "http.url")
_STATUS_KEYS = ("http.response.status_code", "http.status_code", A.ERROR_TYPE)


def record_failed_request(span: ReadableSpan) -> None:
    """Write a client's span that failed on the open tools and retrievals that it is a part of."""
    placement = find_placement(span.context.span_id) if span.context is not None else None
    if placement is None or not placement.surfaces:
        return
    attributes = _foreign_spans.read_attributes(span)
    name = next((attributes[key] for key in _NAME_KEYS if attributes.get(key)), None) or next(
        (urlsplit(str(attributes[key])).hostname for key in _URL_KEYS if key in attributes), None
    )
    if name is None:
        return
    status = str(next((attributes[key] for key in _STATUS_KEYS if attributes.get(key)), "error"))
    for reference in placement.surfaces:
        surface = reference()
        if surface is None or not surface.is_recording():
            continue
        own = _foreign_spans.read_attributes(surface)
        scope = str(own.get(A.INDEX_NAME) or _foreign_spans.find_tool_name(surface) or "unknown")
        is_known = limit_value(f"downstream/{scope}", f"{name} {status}") != OTHER
        peer = str(name) if is_known else OTHER
        surface.set_attributes({A.DOWNSTREAM_NAME: peer, A.DOWNSTREAM_STATUS: status})
        if placement.task is not None:
            placement.task.used_identities["downstream", scope, f"{peer} {status}"] = None
