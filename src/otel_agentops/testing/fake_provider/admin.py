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
from typing import TYPE_CHECKING, Any

from otel_agentops.testing.fake_provider.behaviour import step_from_json

if TYPE_CHECKING:
    from otel_agentops.testing.fake_provider.provider import FakeProvider

PREFIX = "/_admin/"


def reply(provider: FakeProvider, method: str, path: str, raw: bytes) -> tuple[Any, int]:
    """Body and status of an administrator's request."""
    what = f"{method} {path.removeprefix(PREFIX)}"
    if what not in _DO:
        return {"error": f"{what} is not known; use one of {', '.join(_DO)}"}, 404
    try:
        return _DO[what](provider, json.loads(raw or b"null")), 200
    except (ValueError, KeyError, TypeError) as error:
        return {"error": f"{what}: {type(error).__name__}: {error}"}, 400


def _state(provider: FakeProvider, given: Any) -> Any:
    return {"aliases": provider.aliases, "requests": len(provider.requests)}


def _alias(provider: FakeProvider, given: Any) -> Any:
    provider.alias(given["name"], given["resolved"])
    return provider.aliases


def _script(provider: FakeProvider, given: Any) -> Any:
    provider.script(*map(step_from_json, given))
    return len(given)


def _requests(provider: FakeProvider, given: Any) -> Any:
    return [asdict(call) for call in provider.requests]


def _clear(provider: FakeProvider, given: Any) -> Any:
    provider.clear()
    return {}


_DO = {
    "GET state": _state,
    "POST alias": _alias,
    "POST script": _script,
    "GET requests": _requests,
    "POST clear": _clear,
}
