"""A WSGI application that asks the model once for each request; gunicorn forks it after its master has asked, too."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from typing import Any

import openai

import otel_agentops

otel_agentops.instrument()


@functools.cache
def make_client(pid: int) -> openai.OpenAI:
    """Return the client of a process: a connection that is open cannot be shared."""
    return openai.OpenAI()


def ask(question: str) -> None:
    pid = os.getpid()
    content = f"{pid} {question}"
    make_client(pid).chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": content}])


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    ask(environ["PATH_INFO"])
    start_response("200 OK", [("content-type", "text/plain")])
    return [str(os.getpid()).encode()]


ask("master")
