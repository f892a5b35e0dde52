"""Amazon Bedrock through botocore, so boto3, and through aiobotocore: models and knowledge bases."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from otel_agentops import _patching
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._patching import ClientInfo
from otel_agentops.clients.bedrock._bases import GENERATE, RETRIEVE, find_generate_configuration
from otel_agentops.clients.bedrock._bodies import UNKNOWN, find_endpoint
from otel_agentops.clients.bedrock._botocore import PreparedCall, ServiceOperation, make_library
from otel_agentops.clients.bedrock._converse import CONVERSE
from otel_agentops.clients.bedrock._invoke import decode_object
from otel_agentops.clients.bedrock._models import RequestFacts, parse_model_id
from otel_agentops.operations import Attributes

Prepare = Callable[[Mapping[str, object], object, Attributes], PreparedCall]


def _prepare_converse(is_streaming: bool) -> Prepare:
    def prepare(params: Mapping[str, object], content: object, server: Attributes) -> PreparedCall:
        """Read the parameters, which are the body with the model beside them."""
        model = parse_model_id(str(params["modelId"]))
        return PreparedCall(CONVERSE, params, RequestFacts(server, model, is_streaming))

    return prepare


def _prepare_invoke(is_streaming: bool) -> Prepare:
    def prepare(params: Mapping[str, object], content: object, server: Attributes) -> PreparedCall:
        """Read the body, which is the model's own; more that shapes the answer goes in headers."""
        model = parse_model_id(str(params["modelId"]))
        body = decode_object(content) if isinstance(content, (bytes, bytearray, str)) else None
        facts = RequestFacts(server, model, is_streaming, params, is_readable=body is not None)
        return PreparedCall(find_endpoint(model.bare_id, body), body or {}, facts)

    return prepare


def _prepare_generate(is_streaming: bool) -> Prepare:
    def prepare(params: Mapping[str, object], content: object, server: Attributes) -> PreparedCall:
        """Read the parameters, with the model beside the rest of the configuration."""
        model = parse_model_id(str(find_generate_configuration(params).get("modelArn", "")))
        return PreparedCall(GENERATE, params, RequestFacts(server, model, is_streaming))

    return prepare


def _prepare_retrieve(params: Mapping[str, object], content: object, server: Attributes) -> PreparedCall:
    return PreparedCall(RETRIEVE, params, RequestFacts(server))


RUNTIME, AGENTS = "bedrock-runtime", "bedrock-agent-runtime"
OPERATIONS = {
    "Converse": ServiceOperation(RUNTIME, CONVERSE, _prepare_converse(False)),
    "ConverseStream": ServiceOperation(RUNTIME, CONVERSE, _prepare_converse(True), events_member="stream"),
    "InvokeModel": ServiceOperation(RUNTIME, UNKNOWN, _prepare_invoke(False), body_member="body"),
    "InvokeModelWithResponseStream": ServiceOperation(RUNTIME, UNKNOWN, _prepare_invoke(True), events_member="body"),
    "Retrieve": ServiceOperation(AGENTS, RETRIEVE, _prepare_retrieve),
    "RetrieveAndGenerate": ServiceOperation(AGENTS, GENERATE, _prepare_generate(False)),
    "RetrieveAndGenerateStream": ServiceOperation(AGENTS, GENERATE, _prepare_generate(True), events_member="stream"),
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
    foreign_spans=ForeignSpans(
        operations_by_name={  # of OpenInference, which tells the kind when the span ends
            "bedrock.converse": "chat",
            "bedrock.converse_stream": "chat",
            "bedrock.invoke_model": "chat",
            "bedrock.invoke_model_with_response_stream": "chat",
            "bedrock.retrieve": "retrieval",
            "bedrock.retrieve_and_generate": "chat",
            "bedrock.retrieve_and_generate_stream": "chat",
        },
        # It knows the last event of the streams of four families of models.
        never_ends_stream_scopes=frozenset({"opentelemetry.instrumentation.botocore.bedrock-runtime"}),
    ),
)
# Before 1.37.24, botocore left the cached input out of what it parsed, and no total of the input could be told.
BOTOCORE = make_library("botocore", ">=1.37.24,<2", OPERATIONS, info=INFO)
AIOBOTOCORE = make_library("aiobotocore", ">=2.23,<4", OPERATIONS, is_async=True, info=INFO)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_bedrock`."""

    libraries = (BOTOCORE, AIOBOTOCORE)


BedrockInstrumentor = Instrumentor  # the name that others give theirs
