"""Bedrock's knowledge bases: what is looked up in one, and an answer that a model makes of what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agentops._observation import Endpoint
from otel_agentops.clients._protocols.fields import (
    Fields,
    double,
    get,
    instructions,
    items,
    present_attributes,
    text,
    texts,
    whole,
)
from otel_agentops.clients._protocols.openai_chat import no_stream
from otel_agentops.clients.bedrock._botocore import Addressed, code
from otel_agentops.clients.bedrock._models import PROVIDER, Asked
from otel_agentops.operations import Answer, Attributes, ModelCall
from otel_agentops.semconv import attributes as A

_SEARCHES = ("vectorSearchConfiguration", "managedSearchConfiguration")
FIELDS = Fields(
    {
        "temperature": (A.GEN_AI_REQUEST_TEMPERATURE, double),
        "topP": (A.GEN_AI_REQUEST_TOP_P, double),
        "maxTokens": (A.GEN_AI_REQUEST_MAX_TOKENS, whole),
        "stopSequences": (A.GEN_AI_REQUEST_STOP_SEQUENCES, texts),
        "numberOfResults": (A.GEN_AI_RETRIEVAL_TOP_K, whole),
        "guardrailConfiguration": (A.AWS_BEDROCK_GUARDRAIL_ID, lambda given: text(get(given, "guardrailId"))),
    },
    # A filter is about the question; the others are content, or parts whose members are parameters.
    not_parameters=frozenset(["filter", "promptTemplate", "inferenceConfig"]),
)


def lookup_request(body: Mapping[str, Any], sent: Addressed) -> ModelCall:
    """`POST /knowledgebases/{knowledgeBaseId}/retrieve`."""
    base = text(body.get("knowledgeBaseId")) or "unknown"
    attributes = FIELDS.attributes({**_search(body), **_guardrail(body)}, sent.server)
    return ModelCall("retrieval", PROVIDER, None, {**attributes, **_base(base)}, base=base)


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


def lookup_response(result: Any) -> Answer:
    """The documents that were found."""
    found = items(get(result, "retrievalResults"))
    ids = [known for each in found if (known := _id(each)) is not None]
    return Answer(None, {A.RETRIEVAL_DOCUMENT_COUNT: len(found)}, found=ids if len(ids) == len(found) else None)


def _id(document: Any) -> str | None:
    """A document's id, else where it lies: a location has a type, and one member with a URI, a URL or an id."""
    if (known := text(get(document, "documentId"))) is not None:
        return known
    place = get(document, "location")
    inner = next((value for value in place.values() if isinstance(value, Mapping)), {}) if place else {}
    return next((value for value in inner.values() if isinstance(value, str)), None)


def answer_request(body: Mapping[str, Any], sent: Addressed) -> ModelCall:
    """`POST /retrieveAndGenerate` and its stream: of a knowledge base, or of documents that the request brings."""
    asked: Asked = sent.facts
    given = configuration(body)
    settings = _settings(given)
    attributes = FIELDS.attributes(settings, sent.server)
    attributes |= present_attributes((A.GEN_AI_CONVERSATION_ID, text(body.get("sessionId"))))
    if asked.stream:
        attributes[A.GEN_AI_REQUEST_STREAM] = True
    base = text(get(given, "knowledgeBaseId"))
    if base is not None:
        attributes |= _base(base)
    template = get(get(get(given, "generationConfiguration"), "promptTemplate"), "textPromptTemplate")
    return ModelCall(
        "chat",
        PROVIDER,
        asked.model.id,
        attributes,
        instructions((template,)) if text(template) else (),
        params=FIELDS.parameters(settings),
        base=base,
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
    return Answer(None, present_attributes((A.GEN_AI_CONVERSATION_ID, text(get(result, "sessionId")))))


def fold(state: dict[str, Any], event: Any) -> bool:
    """An event of RetrieveAndGenerateStream: only words and where they come from."""
    state["begun"] = True
    return False


def settled(state: dict[str, Any]) -> Answer:
    """The same of a stream, whose session is in a header."""
    return Answer(None, {})


LOOKUP = Endpoint(lookup_request, lookup_response, no_stream, settled, failure=code)
ANSWER = Endpoint(answer_request, answer_response, fold, settled, failure=code)
