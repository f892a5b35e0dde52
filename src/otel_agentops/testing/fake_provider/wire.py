"""What a wire protocol is to the server: a module `<name>_wire.py` here with a `DIALECT`; nothing lists them.

A dialect turns a request and the model's answer into a reply, whole or as a stream of events. That is all that differs
between providers; going wrong (statuses, cuts, delays) is the server's, alike for all.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from otel_agentops.testing.fake_provider import schema
from otel_agentops.testing.fake_provider.behaviour import Answer, Call


class Reply(NamedTuple):
    """What goes back.

    whole: the body of a plain answer, bytes or what becomes JSON. events: those of a stream, where the request asks
    for one, each to be framed by the dialect; `end`: bytes after the last. headers: further header lines.
    """

    whole: Callable[[], Any]
    events: Callable[[], Iterator[Any]] | None = None
    end: bytes = b""
    headers: bytes = b""


def sse(event: dict[str, Any]) -> bytes:
    """A server-sent event; one with a type has it as its name, too."""
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


def asked_in_body(path: str, body: dict[str, Any]) -> str:
    """The model of most protocols."""
    return str(body.get("model", ""))


class Dialect(NamedTuple):
    """One wire protocol.

    speaks: whether a path (with its query) is one of it. reply: None where the method or path is not answered after
    all. error: message and status to the body of an error response. model: path and body to the model asked for.
    frame: an event of a stream to its bytes. failure: a message to the bytes of an error inside a stream.
    malformed: bytes in a stream that cannot be read. content_type: of a stream. error_headers: status to header lines.
    """

    speaks: Callable[[str], bool]
    reply: Callable[[Call, Answer], Reply | None]
    error: Callable[[str, int], Any]
    model: Callable[[str, dict[str, Any]], str] = asked_in_body
    frame: Callable[[Any], bytes] = sse
    failure: Callable[[str], bytes] = lambda message: b""
    malformed: bytes = b"data: {nope\n\n"
    content_type: str = "text/event-stream"
    error_headers: Callable[[int], bytes] = lambda status: b""


def of(path: str) -> Dialect:
    """The dialect that a path is spoken in; that of OpenAI where nobody speaks it, which then says so.

    Several services have the same paths: one that begins with a wire's name, `/writer/v1/chat`, is spoken in that one.
    """
    named = dialects().get(path.lstrip("/").partition("/")[0])
    if named is not None and named.speaks(path):
        return named
    *rest, last = dialects().values()
    return next((dialect for dialect in rest if dialect.speaks(path)), last)


@functools.cache
def dialects() -> Mapping[str, Dialect]:
    """All of them: those that know their paths exactly first, OpenAI's, whose paths others have as well, last."""
    package = str(__package__)
    names = sorted(each.name for each in pkgutil.iter_modules([str(Path(__file__).parent)]))
    names = sorted((name for name in names if name.endswith("_wire")), key=lambda name: name == "openai_wire")
    return {name.removesuffix("_wire"): importlib.import_module(f"{package}.{name}").DIALECT for name in names}


def bound(body: dict[str, Any], answer: Answer) -> Answer:
    """An answer that keeps to the schema that the request binds it to."""
    wanted = schema.wanted(body)
    if wanted is None or answer.tool_calls or schema.is_json(answer.text):
        return answer
    return dataclasses.replace(answer, text=json.dumps(schema.example(wanted)))
