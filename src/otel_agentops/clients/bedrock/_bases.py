"""Bedrock's knowledge bases: what is looked up in one, and an answer that a model makes of what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops._client_call import Endpoint
from otel_agentops._coerce import hash_documents
from otel_agentops.clients._protocols.fields import (
    Fields,
    as_double,
    as_int,
    as_list,
    as_text,
    as_texts,
    drop_none_attributes,
    flatten_instructions,
    get,
)
from otel_agentops.clients._protocols.openai_chat import refuse_stream
from otel_agentops.clients.bedrock._botocore import Addressed, code
from otel_agentops.clients.bedrock._models import PROVIDER, Asked
from otel_agentops.operations import Answer, Attributes, ModelCall, Retrieval, RetrievalResult
from otel_agentops.semconv import attributes as A

_SEARCHES = ("vectorSearchConfiguration", "managedSearchConfiguration")
FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, as_double),
        "topP": (A.GEN_AI_REQUEST_TOP_P, as_double),
        "maxTokens": (A.GEN_AI_REQUEST_MAX_TOKENS, as_int),
        "stopSequences": (A.GEN_AI_REQUEST_STOP_SEQUENCES, as_texts),
        "numberOfResults": (A.GEN_AI_RETRIEVAL_TOP_K, as_int),
        "guardrailConfiguration": (A.AWS_BEDROCK_GUARDRAIL_ID, lambda given: as_text(get(given, "guardrailId"))),
    },
    # A filter is about the question; the others are content, or parts whose members are parameters.
    not_parameters=frozenset(["filter", "promptTemplate", "inferenceConfig"]),
)


def lookup_request(body: Mapping[str, Any], sent: Addressed) -> Retrieval:
    """`POST /knowledgebases/{knowledgeBaseId}/retrieve`."""
    base = as_text(body.get("knowledgeBaseId")) or "unknown"
    attributes = FIELDS.read_attributes({**_search(body), **_guardrail(body)}, sent.server)
    return Retrieval(base, None, PROVIDER, {**attributes, **_base(base)})


def _search(body: Any) -> Mapping[str, Any]:
    given = get(body, "retrievalConfiguration")
    found = next((inner for name in _SEARCHES if (inner := get(given, name)) is not None), None)
    return found if isinstance(found, Mapping) else {}


def _guardrail(body: Mapping[str, Any]) -> dict[str, Any]:
    given = body.get("guardrailConfiguration")
    return {} if given is None else {"guardrailConfiguration": given}


def _base(base: str) -> Attributes:
    """A knowledge base has no version that anybody is told."""
    return {
        A.GEN_AI_DATA_SOURCE_ID: base,
        A.AWS_BEDROCK_KNOWLEDGE_BASE_ID: base,
        A.INDEX_NAME: base,
        A.INDEX_SOURCE: "unknown",
    }


def lookup_response(result: Any) -> RetrievalResult:
    """The documents that were found."""
    found = as_list(get(result, "retrievalResults"))
    ids = [known for each in found if (known := _id(each)) is not None]
    hashes = hash_documents(ids) if len(ids) == len(found) else None
    return RetrievalResult(len(found), hashes, {A.RETRIEVAL_DOCUMENT_COUNT: len(found)})


def _id(document: Any) -> str | None:
    """A document's id, else where it lies: a location has a type, and one member with a URI, a URL or an id."""
    if (known := as_text(get(document, "documentId"))) is not None:
        return known
    place = get(document, "location")
    inner = next((value for value in place.values() if isinstance(value, Mapping)), {}) if place else {}
    return next((value for value in inner.values() if isinstance(value, str)), None)


def answer_request(body: Mapping[str, Any], sent: Addressed) -> ModelCall:
    """`POST /retrieveAndGenerate` and its stream: of a knowledge base, or of documents that the request brings."""
    asked: Asked = sent.facts
    given = configuration(body)
    settings = _settings(given)
    attributes = FIELDS.read_attributes(settings, sent.server)
    attributes |= drop_none_attributes((A.GEN_AI_CONVERSATION_ID, as_text(body.get("sessionId"))))
    if asked.stream:
        attributes[A.GEN_AI_REQUEST_STREAM] = True
    base = as_text(get(given, "knowledgeBaseId"))
    if base is not None:
        attributes |= _base(base)
    template = get(get(get(given, "generationConfiguration"), "promptTemplate"), "textPromptTemplate")
    return ModelCall(
        "chat",
        PROVIDER,
        asked.model.id,
        attributes,
        flatten_instructions((template,)) if as_text(template) else (),
        params=FIELDS.read_parameters(settings),
        data_source_id=base,
    )


def configuration(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a request to generate says about how."""
    given = get(body, "retrieveAndGenerateConfiguration")
    names = ("knowledgeBaseConfiguration", "externalSourcesConfiguration")
    found = next((inner for name in names if (inner := get(given, name)) is not None), None)
    return found if isinstance(found, Mapping) else {}


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """What shapes the answer, on one level."""
    generation = get(given, "generationConfiguration") or {}
    sampling = get(get(generation, "inferenceConfig"), "textInferenceConfig") or {}
    steps = {"orchestrationConfiguration": given.get("orchestrationConfiguration")}  # None is no parameter
    return {**_search(given), **generation, **sampling, **steps}


def answer_response(result: Any) -> Answer:
    """The answer: neither model nor counts are told."""
    return Answer(None, drop_none_attributes((A.GEN_AI_CONVERSATION_ID, as_text(get(result, "sessionId")))))


def fold(state: dict[str, Any], event: Any) -> bool:
    """An event of RetrieveAndGenerateStream: only words and where they come from."""
    state["begun"] = True
    return False


def settled(state: dict[str, Any]) -> Answer:
    """The same of a stream, whose session is in a header."""
    return Answer(None, {})


LOOKUP = Endpoint(lookup_request, lookup_response, refuse_stream, settled, error_type=code)
ANSWER = Endpoint(answer_request, answer_response, fold, settled, error_type=code)
