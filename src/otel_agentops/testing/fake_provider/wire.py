"""Wire protocols as data: a module `<name>_wire.py` beside this one has a `DIALECT`, and no list names it.

A dialect turns a request and the model's answer into a body or a stream of events, which is all that differs between
providers. Errors, cuts and delays are made by the server, alike for all.
"""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call, Json
from otel_agentops.testing.fake_provider.schema import find_schema

SSE_DONE = b"data: [DONE]\n\n"


def format_sse(event: Json) -> bytes:
    """Return a server-sent event; the type of the event, if it has one, is its name, too."""
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


class Route(NamedTuple):
    """One kind of request that a protocol answers.

    Attributes:
        whole: Makes the body of a plain answer, which is written as JSON; None if every answer is a stream.
        events: Makes the events of a stream; None if no answer is a stream.
        end: Bytes after the last event.
        wants_stream: Tells if a request asks for a stream.
        headers: Makes further header lines.
        method: HTTP method.
    """

    whole: Callable[[Call, Answer], object] | None
    events: Callable[[Call, Answer], Iterable[Json]] | None = None
    end: bytes = b""
    wants_stream: Callable[[Call], object] = lambda call: call.body.get("stream")
    headers: Callable[[Answer], bytes] = lambda answer: b""
    method: str = "POST"


class Dialect(NamedTuple):
    """One wire protocol.

    Attributes:
        routes: Routes by regular expression. The first that matches the end of a path answers; a group `model` names
            the model, a group `default_model` that of a request whose body names none. None refuses the path in this
            dialect's words, so that no other dialect is tried.
        error: Makes the body of an error response from message and status.
        base: Regular expression before that of each route.
        model_key: Key of a request's body that names the model if the path does not.
        default_model: The model of a request that names none at all.
        find_schema: Finds the schema that a request binds its answer to.
        frame: Makes the bytes of an event.
        failure: Makes the bytes of an error inside a stream; None for the framed body of an error response.
        malformed: Bytes in a stream that nobody can read.
        content_type: Content type of a stream.
        error_headers: Makes further header lines of an error response from its status.
    """

    routes: Mapping[str, Route | None]
    error: Callable[[str, int], Json]
    base: str = ""
    model_key: str = "model"
    default_model: str = ""
    find_schema: Callable[[Body], Body | None] = find_schema
    frame: Callable[[Json], bytes] = format_sse
    failure: Callable[[str], bytes] | None = None
    malformed: bytes = b"data: {nope\n\n"
    content_type: str = "text/event-stream"
    error_headers: Callable[[int], bytes] = lambda status: b""


class Match(NamedTuple):
    """A path that was understood.

    Attributes:
        dialect: The dialect that speaks it.
        pattern: The key of its route; None if the dialect has none for this path.
        model: The model that the path names; empty if the request's body may name it.
        default_model: The model if neither names one.
    """

    dialect: Dialect
    pattern: str | None
    model: str
    default_model: str


@functools.lru_cache(maxsize=1024)  # the server stands under microbenchmarks, which call few paths very often
def match_path(path: str) -> Match:
    """Find the dialect and the route of a path.

    Several services have the same paths: a path that begins with a wire's name, `/writer/v1/chat`, is that wire's. If
    no dialect speaks the path, the match is OpenAI's without a route.
    """
    dialects = load_dialects()
    first = dialects.get(path.lstrip("/").partition("/")[0])
    for dialect in (*([first] if first else []), *dialects.values()):
        for pattern in dialect.routes:
            if match := re.search(rf"{dialect.base}(?:{pattern})(?:\?.*)?$", path):
                groups = match.groupdict()
                default = groups.get("default_model") or dialect.default_model
                return Match(dialect, pattern, unquote(groups.get("model") or ""), default)
    return Match(dialects["openai"], None, "", "")


@functools.cache
def load_dialects() -> Mapping[str, Dialect]:
    """Import all dialects, by name; OpenAI's comes last, because others have its paths as well."""
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    names = sorted(module.name.removesuffix("_wire") for module in modules if module.name.endswith("_wire"))
    names.sort(key=lambda name: name == "openai")
    return {name: importlib.import_module(f"{__package__}.{name}_wire").DIALECT for name in names}
