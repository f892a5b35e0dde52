"""The one writer of a task's sums: every observed operation is added once, whoever observes it."""

from __future__ import annotations

from functools import partial

from otel_agentops._observation import NO_SPAN, Observation
from otel_agentops._open_retrieval import list_indexes
from otel_agentops._sinks.retries import RetryCounters, describe_output, remember_failure
from otel_agentops._tool_arguments import hash_tool_call
from otel_agentops.operations import (
    NO_ANSWER,
    NO_ATTRIBUTES,
    AgentRun,
    Answer,
    Fetch,
    Judgement,
    ModelCall,
    Retrieval,
    RetrievalResult,
    ToolCall,
    Verdict,
)
from otel_agentops.semconv import attributes as A
from otel_agentops.task_totals import TaskTotals

# The identities of a task's model calls that its receipt remembers.
_RECEIPT_KEYS = (A.GEN_AI_REQUEST_MODEL, A.PROMPT_HASH, A.TOOLS_HASH, A.PARAMS_HASH)
# Those of the request that are values of variables, in the order of `TaskTotals.call_identities`.
_VALUE_KEYS = (A.GEN_AI_PROMPT_NAME, A.PROMPT_HASH, A.TOOLS_HASH, A.PROMPT_SENT_HASH, A.PARAMS_HASH)
# Who scored, and what a score is held against.
_JUDGE_KEYS = (A.JUDGE_NAME, A.JUDGE_REVISION, A.JUDGE_THRESHOLD)


class TaskTotalsSink:
    """Adds operations to the `TaskTotals` of their scope."""

    def __init__(self, retries: RetryCounters) -> None:
        self._retries = retries

    def started(self, observation: Observation) -> None:
        """Record the identities of a model call and the depth of an agent."""
        operation, task = observation.operation, observation.scope.task
        if task is None or observation.scope.judge is not None:
            return
        if (task.failures or observation.scope.step_retry is not None) and observation.is_counted:
            self._retries.recognise(observation, task)
        if isinstance(operation, ModelCall):
            if operation.is_inference:
                attributes = observation.request_attributes
                task.facts.update((key, attributes[key]) for key in _RECEIPT_KEYS if key in attributes)
        elif isinstance(operation, AgentRun) and not operation.is_task:
            task.agent_depths.append(operation.depth)

    def ended(self, observation: Observation) -> None:
        """Add what the operation brought; what a judge does belongs to its verdict, and to no sum of the task."""
        operation, scope = observation.operation, observation.scope
        if isinstance(operation, Judgement):
            self._keep_verdict(operation, observation)
        elif scope.judge is not None:
            if isinstance(operation, ModelCall):
                scope.judge.models.append(observation.result.model if isinstance(observation.result, Answer) else None)
        elif scope.task is None:
            return
        elif isinstance(operation, ModelCall):
            self._add_model_call(operation, observation, scope.task)
        elif isinstance(operation, Fetch):
            answer = observation.result if isinstance(observation.result, Answer) else NO_ANSWER
            if (answer.input_tokens, answer.output_tokens) != (None, None):
                scope.task.fetched_tokens.append((answer.input_tokens, answer.output_tokens))
            _add_requests(answer, scope.task)
        elif isinstance(operation, Retrieval):
            self._add_retrieval(operation, observation, scope.task)
        elif isinstance(operation, ToolCall):
            self._add_tool_call(operation, observation, scope.task)

    def _add_model_call(self, call: ModelCall, observation: Observation, task: TaskTotals) -> None:
        answer = observation.result if isinstance(observation.result, Answer) else NO_ANSWER
        get = observation.request_attributes.get
        fingerprint = answer.attributes.get(A.OPENAI_RESPONSE_SYSTEM_FINGERPRINT)
        identities = (call.model, answer.model, *map(get, _VALUE_KEYS), fingerprint)
        task.call_identities[identities] = None
        if call.data_source_id is not None and answer is not NO_ANSWER:
            task.indexes.append(f"{call.data_source_id}@unknown")
        attempts = None if observation.attempts is None else len(observation.attempts)
        task.model_calls.append((attempts, answer.input_tokens, answer.output_tokens, observation.cost_usd))
        if not call.is_tool_forced:
            _add_requests(answer, task)
        if answer.model is not None and call.is_inference:  # an index's model is none of its facts
            task.facts[A.GEN_AI_RESPONSE_MODEL] = answer.model
        if (cause := observation.error_type or answer.error) is not None:
            remember_failure(observation, task, cause)
        elif observation.scope.held_spans is not None and call.is_inference:
            observation.scope.held_spans.on_invalid.append(
                partial(task.add_failure, describe_output(observation, call))
            )

    def _add_tool_call(self, call: ToolCall, observation: Observation, task: TaskTotals) -> None:
        """Add an execution, or hand its arguments to the framework's operation that counts for it."""
        pending = observation.enclosing
        task.used_identities["tool", call.name, observation.request_attributes.get(A.TOOL_HASH)] = None
        if observation.is_counted:
            result = observation.result
            cause = observation.error_type or (None if result is None else result.error)
            task.tool_results.append(cause is None)
            task.add_execution(call.arguments_hash)
            if task.failures and observation.span is NO_SPAN and observation.late_attributes is NO_ATTRIBUTES:
                self._retries.recognise(observation, task)  # a framework tells the arguments at the end
            if cause is not None:
                remember_failure(observation, task, cause)
        elif pending is not None and pending.arguments_hash is None:
            outer = pending.observation.operation
            if isinstance(outer, ToolCall) and outer.name == call.name:
                pending.arguments_hash = call.arguments_hash

    def _add_retrieval(self, retrieval: Retrieval, observation: Observation, task: TaskTotals) -> None:
        result = observation.result if isinstance(observation.result, RetrievalResult) else None
        # A framework's span that is not ours to read may name none.
        indexes = list_indexes(retrieval, result)
        for text in indexes:
            # Both may hold an @: the name that the application uses is known.
            is_asked = text.startswith(f"{retrieval.data_source_id}@")
            name = retrieval.data_source_id if is_asked else text.rpartition("@")[0]
            version = text[len(name) + 1 :]
            task.used_identities["index", name, None if version == "unknown" else version] = None
        if result is None or observation.error_type is not None:
            return
        task.indexes.extend(indexes)
        task.add_retrieval(result.document_hashes)
        pending = observation.enclosing
        if pending is not None and isinstance(pending.observation.operation, Retrieval):
            pending.knows_documents = True

    def _keep_verdict(self, judgement: Judgement, observation: Observation) -> None:
        """Keep the last score for the receipt of the task around, if it is about that task."""
        verdict, task = observation.result, observation.scope.task
        if task is None or not isinstance(verdict, Verdict) or not verdict.is_of_current_task:
            return
        attributes = judgement.attributes
        task.used_identities["judge", attributes.get(A.JUDGE_NAME), attributes.get(A.JUDGE_REVISION)] = None
        score = verdict.attributes.get(A.GEN_AI_EVALUATION_SCORE_VALUE)
        if score is not None:
            facts = {key: attributes[key] for key in _JUDGE_KEYS if key in attributes}
            task.judge_facts = {**facts, A.GEN_AI_EVALUATION_SCORE_VALUE: score}


def _add_requests(answer: Answer, task: TaskTotals) -> None:
    if answer.tool_calls:
        task.add_requests(hash_tool_call(name, arguments) for name, arguments in answer.tool_calls)
