"""Amazon Bedrock through botocore, so boto3, and through aiobotocore: models and knowledge bases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo
from otel_agentops.clients.bedrock import _bodies, _botocore, _invoke
from otel_agentops.clients.bedrock._bases import ANSWER, LOOKUP, configuration
from otel_agentops.clients.bedrock._botocore import Call, Prepared
from otel_agentops.clients.bedrock._converse import CONVERSE
from otel_agentops.clients.bedrock._models import Asked, named


def _conversation(stream: bool) -> Any:
    def prepare(params: Mapping[str, Any], body: Any) -> Prepared:
        """The parameters are the body, with the model beside them."""
        return Prepared(CONVERSE, params, Asked(named(params["modelId"]), stream))

    return prepare


def _invocation(stream: bool) -> Any:
    def prepare(params: Mapping[str, Any], body: Any) -> Prepared:
        """The body is the model's own; what else shapes the answer goes in headers."""
        model, given = named(params["modelId"]), _invoke.decoded(body)
        return Prepared(_bodies.of(model.bare, given), given, Asked(model, stream, params))

    return prepare


def _lookup(params: Mapping[str, Any], body: Any) -> Prepared:
    return Prepared(LOOKUP, params, None)


def _generation(stream: bool) -> Any:
    def prepare(params: Mapping[str, Any], body: Any) -> Prepared:
        """The model is named where the rest of the configuration is."""
        return Prepared(ANSWER, params, Asked(named(str(configuration(params).get("modelArn", ""))), stream))

    return prepare


RUNTIME, AGENTS = "bedrock-runtime", "bedrock-agent-runtime"
CALLS = {
    "Converse": Call(RUNTIME, CONVERSE, _conversation(False)),
    "ConverseStream": Call(RUNTIME, CONVERSE, _conversation(True), events="stream"),
    "InvokeModel": Call(RUNTIME, _bodies.UNKNOWN, _invocation(False), body="body"),
    "InvokeModelWithResponseStream": Call(RUNTIME, _bodies.UNKNOWN, _invocation(True), events="body"),
    "Retrieve": Call(AGENTS, LOOKUP, _lookup),
    "RetrieveAndGenerate": Call(AGENTS, ANSWER, _generation(False)),
    "RetrieveAndGenerateStream": Call(AGENTS, ANSWER, _generation(True), events="stream"),
}
INFO = ClientInfo(
    (
        "chat (Converse, InvokeModel)",
        "text_completion, embeddings (InvokeModel)",
        "retrieval (Retrieve)",
        "chat (RetrieveAndGenerate)",
    ),
    not_covered=(
        "CountTokens, ApplyGuardrail, async invocations: the convention has no operation for them",
        "InvokeAgent, InvokeFlow, Rerank of the agents' runtime",
        "InvokeModelWithBidirectionalStream (speech)",
    ),
    peers=(
        "opentelemetry-instrumentation-botocore",
        "opentelemetry-instrumentation-bedrock",
        "openinference-instrumentation-bedrock",
    ),
)
# Before, botocore left the cached input out of what it parsed, and no total of the input could be told.
SYNC = _botocore.client("botocore", ">=1.37.24,<2", CALLS, info=INFO)
ASYNC = _botocore.client("aiobotocore", ">=2.23,<4", CALLS, asynchronous=True, info=INFO)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_bedrock`."""

    libraries = (SYNC, ASYNC)
