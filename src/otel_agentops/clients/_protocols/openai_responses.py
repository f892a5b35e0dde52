"""OpenAI's responses API: its answer is one object, whole or as the last snapshot of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops._endpoint import Endpoint
from otel_agentops.clients._protocols import openai_responses_content
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_double,
    as_list,
    as_text,
    drop_none_attributes,
    flatten_instructions,
    get,
    merge_members,
    read_error,
)
from otel_agentops.clients._protocols.openai_chat import (
    FIELDS,
    find_system_contents,
    make_answer,
    make_model_call,
    read_tool_calls,
    set_output_type,
)
from otel_agentops.clients._servers import Server
from otel_agentops.operations import Answer, Fetch, ModelCall
from otel_agentops.semconv import attributes as A

_RESPONSES_FIELDS = FIELDS.with_sampling("temperature", "top_p")


def read_responses_request(body: Mapping[str, Any], server: Server, fields: Fields = _RESPONSES_FIELDS) -> ModelCall:
    """Read `POST /responses`."""
    attributes = fields.read_attributes(body, server.attributes)
    set_output_type(attributes, get(body.get("text"), "format"))
    conversation = body.get("conversation")
    attributes |= drop_none_attributes(
        (A.GEN_AI_REQUEST_REASONING_LEVEL, as_text(get(body.get("reasoning"), "effort"))),
        (A.GEN_AI_CONVERSATION_ID, as_text(conversation) or as_text(get(conversation, "id"))),
    )
    system = flatten_instructions((body.get("instructions"), *find_system_contents(body.get("input"))))
    return make_model_call("chat", body, server, attributes, system, fields=fields)


_EFFECTIVE = ("temperature", "top_p", "max_output_tokens")


def read_responses_response(result: Any) -> Answer:
    """Read a `Response`, or its JSON."""
    reasons = _response_reasons(result)
    answer = make_answer(result, get(result, "usage"), reasons)
    if reasons == ["tool_calls"]:
        functions = (item for item in get(result, "output") if _is_function(item))
        answer = answer._replace(tool_calls=read_tool_calls(functions))
    effective = {name: value for name in _EFFECTIVE if (value := as_double(get(result, name))) is not None}
    return answer._replace(effective_params=effective, error=read_error(result))


# The events that carry the response as it is by then; True for the last of them.
_SNAPSHOTS = {
    "response.created": False,
    "response.queued": False,
    "response.in_progress": False,
    "response.completed": True,
    "response.incomplete": True,
    "response.failed": True,
}


def fold_responses_event(state: dict[str, Any], event: Any) -> bool:
    """Fold a response stream event: those that carry the response replace each other, the last is complete."""
    try:
        last = _SNAPSHOTS.get(event.type)
    except (AttributeError, TypeError):  # a gateway's event: it has no type, or one that is no text
        return False
    if last is None:
        return False
    newer = get(event, "response")
    state["response"] = _join_snapshots(state["response"], newer) if "response" in state else newer
    return last


def _join_snapshots(older: Any, newer: Any) -> Any:
    """Return the newer snapshot of a response; with what the older one says, if the newer one has forgotten it."""
    if get(older, "usage") is None and all(
        get(newer, name) is not None or get(older, name) is None for name in ("id", "model", "service_tier")
    ):
        return newer
    return merge_members(older, newer)


def finish_responses(state: dict[str, Any]) -> Answer:
    """Build the answer from the last snapshot of the response in a stream."""
    return read_responses_response(state["response"])


def _response_reasons(result: Any) -> list[str]:
    """Return the status in the place of finish reasons; a response that is still running has none."""
    status = as_text(get(result, "status"))
    if status == "completed":
        calls = any(_is_function(item) for item in as_list(get(result, "output")))
        return ["tool_calls" if calls else "stop"]
    if status == "incomplete":
        reason = as_text(get(get(result, "incomplete_details"), "reason")) or status
        return ["length" if reason == "max_output_tokens" else reason]
    return ["error"] if status in ("failed", "cancelled") else []


def _is_function(item: Any) -> bool:
    return get(item, "type") in ("function_call", "custom_tool_call")


# -- a response that is fetched

_MAX_BACKGROUND = 10_000
_UNFINISHED = frozenset({"queued", "in_progress"})


class BackgroundResponses:
    """Ids of the responses that this process began in the background and that have not ended as far as it knows."""

    def __init__(self) -> None:
        self.ids: dict[str, bool] = {}

    def remember(self, result: Any) -> None:
        """Remember a response that goes on in the background; the oldest are forgotten first."""
        if as_text(get(result, "status")) in _UNFINISHED and get(result, "background") is True:
            while len(self.ids) >= _MAX_BACKGROUND:
                self.ids.pop(next(iter(self.ids)), None)
            self.ids[str(get(result, "id"))] = True

    def take_ended(self, result: Any) -> bool:
        """Return True, once, if a fetched response was begun in the background and has ended."""
        return as_text(get(result, "status")) not in _UNFINISHED and self.ids.pop(str(get(result, "id")), False)


def read_fetch_request(body: Mapping[str, Any], server: Server) -> Fetch:
    """Read `GET /responses/{id}`.

    body: its query, with the id.
    """
    cursor = body.get("starting_after")
    attributes = server.attributes | drop_none_attributes(
        (A.GEN_AI_RESPONSE_ID, as_text(body["id"])),
        (A.GEN_AI_REQUEST_STREAM_CURSOR, None if cursor is None else str(cursor)),
    )
    return Fetch(server.provider, attributes)


def read_fetch_response(result: Any, tells_usage: bool) -> Answer:
    """Read a `Response` that was made before, or its JSON.

    To fetch one costs no tokens, and those that it cost are told by the call that made it. One that ran in the
    background had none yet when that call returned: they are told by the first fetch that finds it ended in the
    process that began it.

    Args:
        result: The response.
        tells_usage: True for that fetch.
    """
    if tells_usage:
        answer = read_responses_response(result)._replace(effective_params=None, error=None)
    else:
        answer = make_answer(result, None, _response_reasons(result))
    answer.attributes.update(drop_none_attributes((A.GEN_AI_RESPONSE_STATUS, as_text(get(result, "status")))))
    return answer


RESPONSES = Endpoint(
    read_responses_request,
    read_responses_response,
    fold_responses_event,
    finish_responses,
    content=openai_responses_content.RESPONSES,
)
