"""Knowledge bases of Bedrock: documents that are looked up in one, and an answer that a model makes of them.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Retrieve.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_RetrieveAndGenerate.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops._coerce import hash_documents
from otel_agentops._endpoint import Content, ContentReader, Endpoint, FoldState
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_double,
    as_int,
    as_list,
    as_text,
    as_texts,
    drop_none,
    drop_none_attributes,
    flatten_instructions,
    get,
)
from otel_agentops.clients.bedrock import _content
from otel_agentops.clients.bedrock._botocore import read_error_code
from otel_agentops.clients.bedrock._converse import as_mapping
from otel_agentops.clients.bedrock._models import PROVIDER, SILENT_ANSWER, RequestFacts
from otel_agentops.operations import Answer, Attributes, ModelCall, Retrieval, RetrievalResult
from otel_agentops.semconv import attributes as A

FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, as_double),
        "topP": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "maxTokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "stopSequences": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "numberOfResults": (A.GEN_AI_RETRIEVAL_TOP_K, as_int),
        "guardrailConfiguration": (A.AWS_BEDROCK_GUARDRAIL_ID, lambda config: as_text(get(config, "guardrailId"))),
    },
    # A filter is about the question; the others are content, or parts whose members are parameters.
    not_parameters=frozenset(["filter", "promptTemplate", "inferenceConfig"]),
    sampling=("temperature", "topP", "stopSequences"),
)
# Of a retrieval configuration, and of one to generate, which have one member each.
_SEARCH_KINDS = ("vectorSearchConfiguration", "managedSearchConfiguration")
_SOURCE_KINDS = ("knowledgeBaseConfiguration", "externalSourcesConfiguration")


def _find_member(container: object, names: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the first of these members that there is; an empty object if there is none."""
    return as_mapping(next((member for name in names if (member := get(container, name)) is not None), None))


def _find_search(body: Mapping[str, object]) -> Mapping[str, Any]:
    return _find_member(get(body, "retrievalConfiguration"), _SEARCH_KINDS)


def _describe_base(base_id: str) -> Attributes:
    """Return the attributes of a knowledge base, of whose version nobody is told."""
    return {
        A.GEN_AI_DATA_SOURCE_ID: base_id,
        A.AWS_BEDROCK_KNOWLEDGE_BASE_ID: base_id,
        A.INDEX_NAME: base_id,
        A.INDEX_SOURCE: "unknown",
    }


# -- documents


def read_retrieve_request(body: Mapping[str, object], facts: RequestFacts) -> Retrieval:
    """Read `POST /knowledgebases/{knowledgeBaseId}/retrieve`."""
    base_id = as_text(body.get("knowledgeBaseId")) or "unknown"
    settings = {**_find_search(body), **drop_none(guardrailConfiguration=body.get("guardrailConfiguration"))}
    attributes = FIELDS.read_attributes(settings, facts.server)
    return Retrieval(base_id, None, PROVIDER, {**attributes, **_describe_base(base_id)})


def read_retrieve_response(result: object) -> RetrievalResult:
    """Read the documents that were found."""
    documents = as_list(get(result, "retrievalResults"))
    ids = [document_id for each in documents if (document_id := _find_document_id(each)) is not None]
    hashes = hash_documents(ids) if len(ids) == len(documents) else None
    return RetrievalResult(len(documents), hashes)


def _find_document_id(document: object) -> str | None:
    """Return a document's id, else its place: a location has a type, and one member with a URI, a URL or an id."""
    if (document_id := as_text(get(document, "documentId"))) is not None:
        return document_id
    location = as_mapping(get(document, "location"))
    place = next((member for member in location.values() if isinstance(member, Mapping)), {})
    return next((value for value in place.values() if isinstance(value, str)), None)


# -- answers


def read_generate_request(body: Mapping[str, object], facts: RequestFacts) -> ModelCall:
    """Read `POST /retrieveAndGenerate` and its stream: of a knowledge base, or of documents that the request brings."""
    configuration = find_generate_configuration(body)
    generation = get(configuration, "generationConfiguration") or {}
    settings = {
        **_find_search(configuration),
        **generation,
        **(get(get(generation, "inferenceConfig"), "textInferenceConfig") or {}),
        "orchestrationConfiguration": configuration.get("orchestrationConfiguration"),  # None is no parameter
    }
    attributes = FIELDS.read_attributes(settings, facts.server)
    attributes |= drop_none_attributes((A.GEN_AI_CONVERSATION_ID, as_text(body.get("sessionId"))))
    if facts.is_streaming:
        attributes[A.GEN_AI_REQUEST_STREAM] = True
    base_id = as_text(get(configuration, "knowledgeBaseId"))
    if base_id is not None:
        attributes |= _describe_base(base_id)
    template = get(get(generation, "promptTemplate"), "textPromptTemplate")
    return ModelCall(
        "chat",
        PROVIDER,
        facts.model.id,
        attributes,
        flatten_instructions((template,)) if as_text(template) else (),
        params=FIELDS.read_parameters(settings),
        data_source_id=base_id,
    )


def find_generate_configuration(body: Mapping[str, object]) -> Mapping[str, Any]:
    """Return how a request asks to generate."""
    return _find_member(get(body, "retrieveAndGenerateConfiguration"), _SOURCE_KINDS)


def read_generate_response(result: object) -> Answer:
    """Read the answer: neither model nor counts are told."""
    return Answer(None, drop_none_attributes((A.GEN_AI_CONVERSATION_ID, as_text(get(result, "sessionId")))))


def fold_event(state: FoldState, event: object) -> bool:
    """Fold an event of RetrieveAndGenerateStream, which has only words and where they come from."""
    state["begun"] = True
    return False


def finish_stream(state: FoldState) -> Answer:
    """Return an empty answer: the session of a stream is in a header."""
    return SILENT_ANSWER


def _read_documents(result: object) -> Content:
    documents = [
        {"id": _find_document_id(each), "score": get(each, "score"), "content": get(get(each, "content"), "text")}
        for each in as_list(get(result, "retrievalResults"))
    ]
    return {A.GEN_AI_RETRIEVAL_DOCUMENTS: [drop_none(**document) for document in documents]}


RETRIEVE = Endpoint(
    read_retrieve_request,
    read_retrieve_response,
    error_type=read_error_code,
    content=ContentReader(_content.read_retrieve_request, _read_documents),
)
GENERATE = Endpoint(
    read_generate_request,
    read_generate_response,
    fold_event,
    finish_stream,
    error_type=read_error_code,
    content=_content.GENERATE,
)
