"""Bedrock: Converse and its stream, InvokeModel in the words of each family, knowledge bases."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import unquote

from otel_agentops.testing.fake_provider import aws_frames, converse_shapes
from otel_agentops.testing.fake_provider.bedrock_bodies import Family, find_family
from otel_agentops.testing.fake_provider.behaviour import Answer, Body, Call, Json
from otel_agentops.testing.fake_provider.content import split_text
from otel_agentops.testing.fake_provider.schema import find_schema
from otel_agentops.testing.fake_provider.wire import Dialect, Route

_ERRORS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}

# -- knowledge bases


def _write_documents(answer: Answer) -> list[Body]:
    return [
        {
            "content": {"text": part, "type": "TEXT"},
            "location": {"type": "S3", "s3Location": {"uri": f"s3://docs/{number}.txt"}},
            "score": 1 / (number + 1),
        }
        for number, part in enumerate(split_text(answer.text, answer.chunks))
    ]


def _write_citation(answer: Answer) -> Json:
    documents = _write_documents(answer)
    for document in documents:
        del document["score"]
    return {
        "generatedResponsePart": {"textResponsePart": {"text": answer.text, "span": {"start": 0, "end": 11}}},
        "retrievedReferences": documents,
    }


def write_generation(call: Call, answer: Answer) -> Json:
    """Return the answer of RetrieveAndGenerate."""
    return {"sessionId": "session-fake", "output": {"text": answer.text}, "citations": [_write_citation(answer)]}


def write_generation_events(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the events of RetrieveAndGenerateStream."""
    for part in split_text(answer.text, answer.chunks):
        yield {"output": {"text": part}}
    yield {"citation": {"citation": _write_citation(answer), **_write_citation(answer)}}


# -- models


def write_body(call: Call, answer: Answer) -> Json:
    """Return the body of InvokeModel."""
    return _find_family(call).whole(call, answer)


def write_body_chunks(call: Call, answer: Answer) -> Iterator[Json]:
    """Yield the events of InvokeModelWithResponseStream; the service adds its counts to the last body."""
    *bodies, last = [*_find_family(call).chunks(call, answer)] or [{}]
    metrics = {
        "inputTokenCount": answer.fresh_tokens,
        "outputTokenCount": answer.output_tokens,
        "cacheReadInputTokenCount": answer.cached_tokens,
        "cacheWriteInputTokenCount": answer.cache_write_tokens,
        "invocationLatency": 1,
        "firstByteLatency": 1,
    }
    for body in (*bodies, {**last, "amazon-bedrock-invocationMetrics": metrics}):
        yield {"chunk": {"bytes": base64.b64encode(json.dumps(body).encode()).decode(), "p": "abcdefghij"}}


def _find_family(call: Call) -> Family:
    """Return the family of the model that the path names; that of the answer may be an alias's."""
    return find_family(unquote(call.path.split("/model/")[1].split("/")[0]), call.body)


def _count_tokens(answer: Answer) -> bytes:
    """Return the headers in which the service counts, whatever the model."""
    counts = {
        "input": answer.fresh_tokens,
        "output": answer.output_tokens,
        "cache-read-input": answer.cached_tokens,
        "cache-write-input": answer.cache_write_tokens,
    }
    return "".join(f"x-amzn-bedrock-{name}-token-count: {count}\r\n" for name, count in counts.items()).encode()


# -- the dialect


def _find_schema(body: Body) -> Body | None:
    """Return the schema of Converse's `outputConfig`, which is JSON in JSON; if there is none, that of others."""
    structure = ((body.get("outputConfig") or {}).get("textFormat") or {}).get("structure")
    if structure is None:
        return find_schema(body)
    schema: Body = json.loads(structure["jsonSchema"]["schema"])
    return schema


def _frame_event(event: Json) -> bytes:
    ((name, payload),) = event.items()
    return aws_frames.frame_event(name, json.dumps(payload).encode())


_EVENT = aws_frames.frame_event("metadata", b"{}")
DIALECT = Dialect(
    routes={
        "/model/(?P<model>[^/]+)/converse": Route(converse_shapes.write_message),
        "/model/(?P<model>[^/]+)/converse-stream": Route(None, converse_shapes.write_events),
        "/model/(?P<model>[^/]+)/invoke": Route(write_body, headers=_count_tokens),
        "/model/(?P<model>[^/]+)/invoke-with-response-stream": Route(None, write_body_chunks),
        "/knowledgebases/[^/]+/retrieve": Route(lambda call, answer: {"retrievalResults": _write_documents(answer)}),
        "/retrieveAndGenerate": Route(write_generation),
        "/retrieveAndGenerateStream": Route(None, write_generation_events),
    },
    error=lambda message, status: {"message": message},
    find_schema=_find_schema,
    frame=_frame_event,
    failure=lambda message: aws_frames.frame_exception(
        "modelStreamErrorException", json.dumps({"message": message}).encode()
    ),
    malformed=_EVENT[:-1] + bytes([_EVENT[-1] ^ 1]),  # its checksum does not match
    content_type="application/vnd.amazon.eventstream",
    error_headers=lambda status: f"x-amzn-errortype: {_ERRORS.get(status, 'InternalFailure')}\r\n".encode(),
)
