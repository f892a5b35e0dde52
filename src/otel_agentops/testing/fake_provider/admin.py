"""The back door of a provider that runs in another process: repoint an alias, add to the script, see the requests.

GET  /_admin/state       {"aliases": {...}, "requests": 12}
POST /_admin/alias       {"name": "gpt-x", "resolved": "gpt-x-2026-03-01"}
POST /_admin/script      [{"step": "Status", "status": 429, "retry_after": 0.1}, {"step": "Ok"}]
GET  /_admin/requests    [{"path": ..., "headers": {...}, "body": {...}, "model": ...}]
POST /_admin/clear
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from otel_agentops.testing.fake_provider.behaviour import parse_step

if TYPE_CHECKING:
    from otel_agentops.testing.fake_provider.provider import FakeProvider

PREFIX = "/_admin/"
_COMMANDS = ("GET state", "POST alias", "POST script", "GET requests", "POST clear")


def answer_command(provider: FakeProvider, method: str, path: str, raw: bytes) -> tuple[object, int]:
    """Execute an administrator's command; return body and status of the response."""
    command = f"{method} {path.removeprefix(PREFIX)}"
    if command not in _COMMANDS:
        return {"error": f"{command} is not known; use one of {', '.join(_COMMANDS)}"}, 404
    try:
        return _execute_command(provider, command, raw), 200
    except (ValueError, KeyError, TypeError) as error:
        return {"error": f"{command}: {type(error).__name__}: {error}"}, 400


def _execute_command(provider: FakeProvider, command: str, raw: bytes) -> object:
    arguments = json.loads(raw or b"null")
    match command:
        case "POST alias":
            provider.alias(arguments["name"], arguments["resolved"])
            return provider.aliases
        case "POST script":
            provider.script(*map(parse_step, arguments))
            return len(arguments)
        case "GET requests":
            return [asdict(call) for call in provider.requests]
        case "POST clear":
            provider.clear()
            return {}
    return {"aliases": provider.aliases, "requests": len(provider.requests)}
