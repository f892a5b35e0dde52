"""InvokeModel in every family of models: the chunks that are read, and the counts that the service adds to the body.

The service counts the tokens of every model: in headers, or in the last chunk of a stream.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from otel_agentops._endpoint import ContentReader, Endpoint, FoldState
from otel_agentops.clients._protocols.fields import as_int, as_text, get
from otel_agentops.clients._servers import Server
from otel_agentops.clients.bedrock._botocore import read_error_code
from otel_agentops.clients.bedrock._botocore_body import InvokeResponse
from otel_agentops.clients.bedrock._content import read_inside
from otel_agentops.clients.bedrock._models import PROVIDER, SILENT_ANSWER, RequestFacts
from otel_agentops.operations import Answer, ModelCall
from otel_agentops.semconv import attributes as A

_METRICS = "amazon-bedrock-invocationMetrics"  # in the last chunk of every stream
_LAST_CHUNK_MARK = f'"{_METRICS}"'.encode()
_HEADERS = tuple(
    f"x-amzn-bedrock-{name}-token-count" for name in ("input", "output", "cache-read-input", "cache-write-input")
)
_OPTIONS = ("performanceConfigLatency", "serviceTier", "guardrailIdentifier", "guardrailVersion")


class TokenCounts(NamedTuple):
    """The service's own counts; None if it does not say."""

    fresh_input: int | None = None  # cached input left out
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None


class Family(NamedTuple):
    """The pure functions of bodies of one kind.

    Attributes:
        read_request: Body and address to a ModelCall.
        read_response: The JSON of an answer to an Answer.
        fold_chunk: Add one chunk of a stream to the state.
        finish_stream: The state to an Answer.
        marks: Chunks are read only if they are the first, the last, or contain one of these.
        has_only_counts: True if an answer is read for its counts alone, which are in headers as well.
        is_wordless: True if an answer is no text, and so has no output tokens.
        content: The functions that read what was said; None if nobody knows.
    """

    read_request: Callable[[Mapping[str, Any], Server], ModelCall]
    read_response: Callable[[Any], Answer]
    fold_chunk: Callable[[FoldState, Any], bool]
    finish_stream: Callable[[FoldState], Answer]
    marks: tuple[bytes, ...] = ()
    has_only_counts: bool = False
    is_wordless: bool = False
    content: ContentReader | None = None


def decode_object(body: bytes | bytearray | str) -> dict[str, Any]:
    """Return the JSON object of a body; an empty one if it is something else."""
    try:
        decoded = json.loads(body)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


class _FamilyReader:
    """The four functions of a call with bodies of one kind."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def read_request(self, body: Mapping[str, object], facts: RequestFacts) -> ModelCall:
        call = self._family.read_request(body, Server(PROVIDER, facts.server))
        attributes = dict(call.attributes)
        if facts.is_streaming:
            attributes[A.GEN_AI_REQUEST_STREAM] = True
        if guardrail := as_text(facts.options.get("guardrailIdentifier")):
            attributes[A.AWS_BEDROCK_GUARDRAIL_ID] = guardrail
        options = {name: value for name in _OPTIONS if (value := facts.options.get(name)) is not None}
        instructions, params = (call.instructions, call.params or {}) if facts.is_readable else (None, {})
        return call._replace(
            model=facts.model.id,
            prompt=facts.model.prompt,
            attributes=attributes,
            instructions=instructions,
            params={**params, **options},
        )

    def read_response(self, response: InvokeResponse) -> Answer:
        counts = _read_header_counts(response.headers)
        if self._family.has_only_counts and counts.fresh_input is not None:
            return self._add_counts(SILENT_ANSWER, counts)
        return self._add_counts(self._family.read_response(decode_object(response.body)), counts)

    def fold_chunk(self, state: FoldState, event: object) -> bool:
        data = get(get(event, "chunk"), "bytes") or b""
        is_last = is_read = _LAST_CHUNK_MARK in data
        for mark in self._family.marks:  # every chunk comes by: `any` with a generator takes three times as long
            is_read = is_read or mark in data
        if is_read or not state:
            chunk = decode_object(data)
            self._family.fold_chunk(state.setdefault("folded", {}), chunk)
            if is_last:
                state["counts"] = _read_metrics(chunk.get(_METRICS))
        return is_last

    def finish_stream(self, state: FoldState) -> Answer:
        if "folded" in state:
            return self._add_counts(self._family.finish_stream(state["folded"]), state.get("counts", TokenCounts()))
        return self._add_counts(SILENT_ANSWER, _read_header_counts(state["headers"]))

    def _add_counts(self, answer: Answer, counts: TokenCounts) -> Answer:
        counted = _add_token_counts(answer, counts)
        return counted._replace(output_tokens=None) if self._family.is_wordless else counted


def make_endpoint(family: Family) -> Endpoint[RequestFacts]:
    """Return the endpoint of calls with bodies of one kind."""
    reader = _FamilyReader(family)
    return Endpoint(
        reader.read_request,
        reader.read_response,
        reader.fold_chunk,
        reader.finish_stream,
        error_type=read_error_code,
        content=None if family.content is None else read_inside(family.content, decode_object),
    )


def _read_header_counts(headers: Mapping[str, str]) -> TokenCounts:
    texts = (headers.get(name) or "" for name in _HEADERS)
    return TokenCounts(*(as_int(int(text)) if text.isdigit() else None for text in texts))


def _read_metrics(metrics: object) -> TokenCounts:
    return TokenCounts(
        as_int(get(metrics, "inputTokenCount")),
        as_int(get(metrics, "outputTokenCount")),
        as_int(get(metrics, "cacheReadInputTokenCount")),
        as_int(get(metrics, "cacheWriteInputTokenCount")),
    )


def _add_token_counts(answer: Answer, counts: TokenCounts) -> Answer:
    """Return the answer with the service's counts if its body has none; like Converse's they leave cached input out."""
    fresh, output, read, written = counts
    if answer.output_tokens is None:
        answer = answer._replace(output_tokens=output)
    if answer.input_tokens is not None or fresh is None:
        return answer
    cached = {A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: read, A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: written}
    known = {name: count for name, count in cached.items() if count is not None}
    return answer._replace(attributes={**known, **answer.attributes}, input_tokens=fresh + (read or 0) + (written or 0))
