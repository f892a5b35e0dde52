"""OpenAI's responses API: its answer is one object, whole or as the last snapshot of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops._observation import Endpoint
from otel_agentops.clients._protocols.fields import Fields, double, get, instructions, items, present_attributes, text
from otel_agentops.clients._protocols.openai_chat import FIELDS, answer_of, asked, model_call, output_type, system
from otel_agentops.clients._servers import Server
from otel_agentops.operations import FETCH, Answer, ModelCall
from otel_agentops.semconv import attributes as A


def responses_request(body: Mapping[str, Any], server: Server, fields: Fields = FIELDS) -> ModelCall:
    """`POST /responses`."""
    attributes = fields.attributes(body, server.attributes)
    output_type(attributes, get(body.get("text"), "format"))
    conversation = body.get("conversation")
    attributes |= present_attributes(
        (A.GEN_AI_REQUEST_REASONING_LEVEL, text(get(body.get("reasoning"), "effort"))),
        (A.GEN_AI_CONVERSATION_ID, text(conversation) or text(get(conversation, "id"))),
    )
    told = instructions((body.get("instructions"), *system(body.get("input"))))
    return model_call("chat", body, server, attributes, told, fields=fields)


_EFFECTIVE = ("temperature", "top_p", "max_output_tokens")


def responses_response(result: Any) -> Answer:
    """A `Response`, or its JSON."""
    _keep_running(result)
    return _answer(result)


def _answer(result: Any) -> Answer:
    reasons = _response_reasons(result)
    answer = answer_of(result, get(result, "usage"), reasons)
    if reasons == ["tool_calls"]:
        answer = answer._replace(asked=asked(item for item in get(result, "output") if _is_function(item)))
    effective = {name: value for name in _EFFECTIVE if (value := double(get(result, name))) is not None}
    return answer._replace(effective=effective, error=text(get(get(result, "error"), "code")))


# The events that carry the response as it is by then, and whether it is the last of them.
_SNAPSHOTS = {
    "response.created": False,
    "response.queued": False,
    "response.in_progress": False,
    "response.completed": True,
    "response.incomplete": True,
    "response.failed": True,
}


def responses_fold(state: dict[str, Any], event: Any) -> bool:
    """A response stream event: the ones that carry the response replace each other, the last is complete."""
    last = _SNAPSHOTS.get(getattr(event, "type", ""))
    if last is None:
        return False
    state["response"] = event.response
    return last


def responses_settled(state: dict[str, Any]) -> Answer:
    """What the stream's last snapshot of the response says."""
    return responses_response(state["response"])


def _response_reasons(result: Any) -> list[str]:
    """A response has a status where a chat has finish reasons; one that is still running has none."""
    status = get(result, "status")
    if status == "completed":
        calls = any(_is_function(item) for item in items(get(result, "output")))
        return ["tool_calls" if calls else "stop"]
    if status == "incomplete":
        reason = str(get(get(result, "incomplete_details"), "reason") or status)
        return ["length" if reason == "max_output_tokens" else reason]
    return ["error"] if status in {"failed", "cancelled"} else []


def _is_function(item: Any) -> bool:
    return get(item, "type") in {"function_call", "custom_tool_call"}


# -- a response that is fetched

# Ids of the responses that this process began in the background and that have not ended as far as it knows.
_RUNNING: dict[str, bool] = {}
_KEPT = 10_000
_UNFINISHED = frozenset({"queued", "in_progress"})


def fetch_request(body: Mapping[str, Any], server: Server) -> ModelCall:
    """`GET /responses/{id}`. body: its query, with the id."""
    cursor = body.get("starting_after")
    attributes = server.attributes | present_attributes(
        (A.GEN_AI_RESPONSE_ID, text(body["id"])),
        (A.GEN_AI_REQUEST_STREAM_CURSOR, None if cursor is None else str(cursor)),
    )
    return ModelCall(FETCH, server.provider, None, attributes)


def fetch_response(result: Any) -> Answer:
    """A `Response` that was made before, or its JSON.

    To fetch one costs no tokens, and those that it cost are told by the call that made it. One that ran in the
    background had none yet when that call returned: they are told here, by the first fetch that finds it ended in the
    process that began it.
    """
    status = text(get(result, "status"))
    if status not in _UNFINISHED and _RUNNING.pop(str(get(result, "id")), False):
        answer = _answer(result)._replace(effective=None, error=None)
    else:
        answer = answer_of(result, None, _response_reasons(result))
    answer.attributes.update(present_attributes((A.GEN_AI_RESPONSE_STATUS, status)))
    return answer


def fetch_settled(state: dict[str, Any]) -> Answer:
    """What the last snapshot of a fetched stream says; asked again, it says the same."""
    if "answer" not in state:
        state["answer"] = fetch_response(state["response"])
    answer: Answer = state["answer"]
    return answer


def _keep_running(result: Any) -> None:
    """Remember a response that goes on in the background; the oldest are forgotten first."""
    if get(result, "status") in _UNFINISHED and get(result, "background") is True:
        while len(_RUNNING) >= _KEPT:
            _RUNNING.pop(next(iter(_RUNNING)), None)
        _RUNNING[str(get(result, "id"))] = True


RESPONSES = Endpoint(responses_request, responses_response, responses_fold, responses_settled)
FETCHED = Endpoint(fetch_request, fetch_response, responses_fold, fetch_settled)
