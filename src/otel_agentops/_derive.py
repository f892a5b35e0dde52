"""Facts that follow from an operation and its result: computed once, before any sink sees them."""

from __future__ import annotations

from collections.abc import Sequence

from otel_agentops._coerce import identify_json
from otel_agentops._context import Scope
from otel_agentops._identity import Identities
from otel_agentops._offered_tools import find_tool_hash
from otel_agentops._prices import Prices, price_call
from otel_agentops.operations import (
    NO_ANSWER,
    AgentRun,
    Answer,
    Attempt,
    Attributes,
    Fetch,
    Judgement,
    ModelCall,
    Operation,
    Retrieval,
    ToolCall,
)
from otel_agentops.semconv import attributes as A

_FIRST_ERROR_STATUS = 400


def derive_request(operation: Operation, scope: Scope, identities: Identities) -> Attributes:
    """Return the attributes of an operation that is about to start: what is asked, where, and its identity."""
    if isinstance(operation, ModelCall):
        return _derive_model_call(operation, scope, identities)
    if isinstance(operation, ToolCall):
        return _derive_tool_call(operation, scope, identities)
    if isinstance(operation, AgentRun):
        key = A.GEN_AI_WORKFLOW_NAME if operation.is_task else A.GEN_AI_AGENT_NAME
        named: Attributes = {A.GEN_AI_OPERATION_NAME: operation.operation, key: operation.name}
        return {**named, **_read_facts(scope), **operation.attributes}
    if isinstance(operation, Judgement):
        return operation.attributes
    attributes = _derive_place(operation, scope)
    if isinstance(operation, Retrieval):
        attributes[A.GEN_AI_DATA_SOURCE_ID] = operation.data_source_id
    return attributes


def _read_facts(scope: Scope) -> Attributes:
    return {**scope.facts, **scope.judge.facts} if scope.judge is not None else dict(scope.facts)


def _derive_place(operation: ModelCall | Fetch | Retrieval, scope: Scope) -> Attributes:
    """Return the operation, its provider, and the facts of the scope."""
    attributes: Attributes = {A.GEN_AI_OPERATION_NAME: operation.operation}
    if operation.provider is not None:
        attributes[A.GEN_AI_PROVIDER_NAME] = operation.provider
    attributes.update(operation.attributes)
    attributes.update(scope.facts)
    if scope.judge is not None:
        attributes.update(scope.judge.facts)
    return attributes


def _derive_model_call(call: ModelCall, scope: Scope, identities: Identities) -> Attributes:
    attributes = _derive_place(call, scope)
    if call.model is not None:
        attributes[A.GEN_AI_REQUEST_MODEL] = call.model
    if scope.task is not None and scope.task.indexes:
        attributes[A.RETRIEVAL_INDEXES] = scope.task.distinct_indexes()
    attributes.update(identities.identify_call(call, scope))
    return attributes


def _derive_tool_call(call: ToolCall, scope: Scope, identities: Identities) -> Attributes:
    attributes: Attributes = {
        A.GEN_AI_OPERATION_NAME: call.operation,
        A.GEN_AI_TOOL_NAME: call.name,
        A.GEN_AI_TOOL_TYPE: "function",
        **call.attributes,
        **_read_facts(scope),
    }
    # The hash under which the tool was offered comes first: the model saw no more of it (a server's annotations are not
    # sent), and it is the one that `tools.versions` of the call before has.
    tool_hash = find_tool_hash(call.name)
    if tool_hash is None and call.schema is not None:
        schema = call.schema
        tool_hash = identify_json(
            "a tool's schema", lambda: identities.identify_tools([schema], dict).hashes[call.name]
        )
    if tool_hash is not None:
        attributes[A.TOOL_HASH] = tool_hash
    return attributes


def derive_answer(
    operation: ModelCall | Fetch,
    answer: Answer,
    attempts: Sequence[Attempt] | None,
    usd: float | None,
    first_chunk_s: float | None,
) -> Attributes:
    """Return the attributes of an answer.

    Args:
        operation: What was asked.
        answer: `NO_ANSWER` if none came.
        attempts: None if the client hides them.
        usd: Cost; None if unknown.
        first_chunk_s: Seconds from the request to the first chunk of a stream; None if it was no stream.
    """
    attributes = dict(answer.attributes)
    if answer is not NO_ANSWER and usd is not None:
        attributes[A.COST] = usd
    if isinstance(operation, ModelCall):
        _derive_generation(attributes, operation, answer, first_chunk_s)
    if answer.model is not None:
        attributes[A.GEN_AI_RESPONSE_MODEL] = answer.model
    if answer.input_tokens is not None:
        attributes[A.GEN_AI_USAGE_INPUT_TOKENS] = answer.input_tokens
    if answer.output_tokens is not None:
        attributes[A.GEN_AI_USAGE_OUTPUT_TOKENS] = answer.output_tokens
    if attempts is not None:
        attributes.update(derive_attempts(attempts))
    return attributes


def _derive_generation(attributes: Attributes, call: ModelCall, answer: Answer, first_chunk_s: float | None) -> None:
    """Add the attributes that a fetched answer lacks, because no model ran for it."""
    resolution = resolve_model(call.routed_model or call.model, answer.model)
    if answer is not NO_ANSWER and resolution is not None:
        attributes[A.MODEL_RESOLUTION] = resolution
    if first_chunk_s is not None:  # the convention counts from the request for the generation
        attributes[A.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = first_chunk_s
    params = call.params or {}
    for name in answer.effective_params or ():
        if params.get(name) is None:
            attributes[A.PARAM_SOURCE.format(name)] = "echoed"


def derive_attempts(attempts: Sequence[Attempt]) -> Attributes:
    """Return how often an operation was tried, with each status and the waits that the server asked for."""
    attributes: Attributes = {
        A.ATTEMPT_COUNT: len(attempts),
        A.ATTEMPT_STATUSES: [attempt.status for attempt in attempts],
    }
    if waits := [attempt.retry_after for attempt in attempts if attempt.retry_after is not None]:
        attributes[A.ATTEMPT_RETRY_AFTER] = waits
    return attributes


def derive_cost(
    prices: Prices | None, call: ModelCall, answer: Answer, attempts: Sequence[Attempt] | None
) -> float | None:
    """Return the USD of a call at the user's prices, else as the provider says; None if unknown.

    Nobody is charged for a refusal.
    """
    if prices is None:
        return answer.usd
    if answer is NO_ANSWER and attempts and all(attempt.status >= _FIRST_ERROR_STATUS for attempt in attempts):
        return 0.0
    usd = price_call(prices, call, answer)
    return answer.usd if usd is None else usd


def resolve_model(requested: str | None, answered: str | None) -> str | None:
    """Return what the answer says about the alias: resolved to another id, echoed as requested, or unreported.

    None if the answer names a model although none was asked for.
    """
    if answered is None:
        return "unreported"
    if requested is None:
        return None
    return "echoed" if answered == requested else "resolved"


def name_error(error: BaseException) -> str:
    """Return `error.type` of an exception: its canonical name, which is an exception event's `exception.type`."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
