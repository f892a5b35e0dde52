"""Bedrock: Converse and its stream, InvokeModel in the words of each family, knowledge bases."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from otel_agentops.testing.fake_provider import aws_frames, bedrock_bodies, converse_shapes
from otel_agentops.testing.fake_provider.behaviour import Answer, Call
from otel_agentops.testing.fake_provider.openai_wire import pieces
from otel_agentops.testing.fake_provider.wire import Dialect, Reply, bound

_MODEL = re.compile(r"/model/([^/]+)/(converse|converse-stream|invoke|invoke-with-response-stream)$")
_BASE = re.compile(r"/knowledgebases/([^/]+)/retrieve$")
_GENERATE = ("/retrieveAndGenerate", "/retrieveAndGenerateStream")


# -- knowledge bases


def _documents(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "content": {"text": part, "type": "TEXT"},
            "location": {"type": "S3", "s3Location": {"uri": f"s3://docs/{number}.txt"}},
            "score": 1 / (number + 1),
        }
        for number, part in enumerate(pieces(answer.text, answer.chunks))
    ]


def _citation(answer: Answer) -> dict[str, Any]:
    return {
        "generatedResponsePart": {"textResponsePart": {"text": answer.text, "span": {"start": 0, "end": 11}}},
        "retrievedReferences": [{k: v for k, v in found.items() if k != "score"} for found in _documents(answer)],
    }


def _generated(answer: Answer) -> dict[str, Any]:
    return {"sessionId": "session-fake", "output": {"text": answer.text}, "citations": [_citation(answer)]}


def _generated_events(answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in pieces(answer.text, answer.chunks):
        yield "output", {"text": part}
    yield "citation", {"citation": _citation(answer), **_citation(answer)}


# -- the dialect

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


def _asked(path: str, body: dict[str, Any]) -> str:
    found = _MODEL.search(path)
    return unquote(found[1]) if found else ""


def _speaks(path: str) -> bool:
    return bool(_MODEL.search(path) or _BASE.search(path)) or path.endswith(_GENERATE)


def _reply(call: Call, answer: Answer) -> Reply | None:
    if call.method != "POST":
        return None
    if _BASE.search(call.path):
        return Reply(lambda: {"retrievalResults": _documents(answer)})
    if call.path.endswith(_GENERATE[0]):
        return Reply(lambda: _generated(answer))
    if call.path.endswith(_GENERATE[1]):
        return Reply(lambda: None, lambda: _generated_events(answer))
    found = _MODEL.search(call.path)
    assert found is not None, "only what is spoken is asked"
    return _model(found[2], unquote(found[1]), call, bound(_format(call.body), answer))


def _format(body: dict[str, Any]) -> dict[str, Any]:
    """The schema of Converse's `outputConfig`, which is JSON in JSON, where others have theirs; else the body."""
    structure = ((body.get("outputConfig") or {}).get("textFormat") or {}).get("structure")
    if structure is None:
        return body
    schema = json.loads(structure["jsonSchema"]["schema"])
    return {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}


def _model(how: str, asked: str, call: Call, answer: Answer) -> Reply:
    if how == "converse":
        return Reply(lambda: converse_shapes.converse(answer))
    if how == "converse-stream":
        return Reply(lambda: None, lambda: converse_shapes.events(answer))
    family = bedrock_bodies.of(asked, call.body)
    if how == "invoke":
        return Reply(lambda: family.whole(call, answer), headers=bedrock_bodies.counted(answer))
    return Reply(lambda: None, lambda: _chunks(family.events(call, answer), answer))


def _chunks(bodies: Iterator[dict[str, Any]], answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
    """Bodies as events of InvokeModelWithResponseStream; the service adds its counts to the last."""
    last = None
    for body in bodies:
        if last is not None:
            yield "chunk", _packed(last)
        last = body
    yield "chunk", _packed({**(last or {}), "amazon-bedrock-invocationMetrics": bedrock_bodies.metrics(answer)})


def _packed(body: dict[str, Any]) -> dict[str, Any]:
    return {"bytes": base64.b64encode(json.dumps(body).encode()).decode(), "p": "abcdefghij"}


def _frame(named: tuple[str, dict[str, Any]]) -> bytes:
    return aws_frames.event(named[0], json.dumps(named[1]).encode())


def _failure(message: str) -> bytes:
    return aws_frames.exception("modelStreamErrorException", json.dumps({"message": message}).encode())


def _malformed() -> bytes:
    whole = aws_frames.event("metadata", b"{}")
    return whole[:-1] + bytes([whole[-1] ^ 1])  # its checksum does not hold


DIALECT = Dialect(
    speaks=_speaks,
    reply=_reply,
    error=lambda message, status: {"message": message},
    model=_asked,
    frame=_frame,
    failure=lambda message: aws_frames.exception(
        "modelStreamErrorException", json.dumps({"message": message}).encode()
    ),
    malformed=_malformed(),
    content_type="application/vnd.amazon.eventstream",
    error_headers=lambda status: f"x-amzn-errortype: {_ERRORS.get(status, 'InternalFailure')}\r\n".encode(),
)
