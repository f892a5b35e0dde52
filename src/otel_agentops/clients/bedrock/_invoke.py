"""InvokeModel whatever the family: which chunks are read, and the counts that the service says beside the body.

The service counts the tokens of every model: in headers, or in the last chunk of a stream.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from otel_agentops._client_call import Endpoint
from otel_agentops.clients._protocols.fields import as_int, as_text, get
from otel_agentops.clients._servers import Server
from otel_agentops.clients.bedrock._botocore import Addressed, code
from otel_agentops.clients.bedrock._botocore_body import Invoked
from otel_agentops.clients.bedrock._models import PROVIDER, Asked
from otel_agentops.operations import Answer, Attributes, ModelCall
from otel_agentops.semconv import attributes as A

_LAST = b'"amazon-bedrock-invocationMetrics"'
_COUNTS = ("inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount")
_HEADERS = tuple(
    f"x-amzn-bedrock-{name}-token-count" for name in ("input", "output", "cache-read-input", "cache-write-input")
)
_OPTIONS = ("performanceConfigLatency", "serviceTier", "guardrailIdentifier", "guardrailVersion")


class Family(NamedTuple):
    """Bodies of one kind.

    request: body and address to a ModelCall. whole: an answer's JSON to an Answer. fold and settled: of a stream, whose
    chunks are read only where they are the first, the last, or contain one of `marks`. counted: whether an answer is
    only read for its counts, which headers have as well. wordless: whether it is no text, and has no output tokens.
    """

    request: Callable[[Mapping[str, Any], Server], ModelCall]
    whole: Callable[[Any], Answer]
    fold: Callable[[dict[str, Any], Any], bool]
    settled: Callable[[dict[str, Any]], Answer]
    marks: tuple[bytes, ...] = ()
    counted: bool = False
    wordless: bool = False


def decoded(body: Any) -> dict[str, Any]:
    """The JSON object of a body; an empty one where it is something else, or a file that is the application's."""
    if not isinstance(body, (bytes, bytearray, str)):
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class _Invocation:
    """The four functions of a call with bodies of one kind."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def request(self, body: Mapping[str, Any], sent: Addressed) -> ModelCall:
        asked: Asked = sent.facts
        call = self._family.request(body, Server(PROVIDER, sent.server))
        options = {name: value for name in _OPTIONS if (value := asked.options.get(name)) is not None}
        attributes = {**call.attributes, **_beside(asked)}
        params = {**(call.params or {}), **options}
        return call._replace(model=asked.model.id, prompt=asked.model.prompt, attributes=attributes, params=params)

    def response(self, result: Invoked) -> Answer:
        counts = [as_int(_number(result.headers.get(name))) for name in _HEADERS]
        if self._family.counted and counts[0] is not None:
            return self._with(Answer(None, {}), counts)
        return self._with(self._family.whole(decoded(result.body)), counts)

    def fold(self, state: dict[str, Any], event: Any) -> bool:
        data = get(get(event, "chunk"), "bytes") or b""
        last = read = _LAST in data
        for mark in self._family.marks:  # every chunk comes by: `any` with a generator takes three times as long
            read = read or mark in data
        if read or not state:
            chunk = decoded(data)
            self._family.fold(state.setdefault("folded", {}), chunk)
            if last:
                counts = chunk.get("amazon-bedrock-invocationMetrics")
                state["counts"] = [as_int(get(counts, name)) for name in _COUNTS]
        return last

    def settled(self, state: dict[str, Any]) -> Answer:
        if "folded" in state:
            return self._with(self._family.settled(state["folded"]), state.get("counts", [None] * 4))
        return self._with(Answer(None, {}), [as_int(_number(state["headers"].get(name))) for name in _HEADERS])

    def _with(self, answer: Answer, counts: list[int | None]) -> Answer:
        found = _counted(answer, counts)
        return found._replace(output_tokens=None) if self._family.wordless else found


def endpoint(family: Family) -> Endpoint:
    """A call with bodies of this kind."""
    made = _Invocation(family)
    return Endpoint(made.request, made.response, made.fold, made.settled, error_type=code)


def _beside(asked: Asked) -> Attributes:
    found: Attributes = {A.GEN_AI_REQUEST_STREAM: True} if asked.stream else {}
    if guardrail := as_text(asked.options.get("guardrailIdentifier")):
        found[A.AWS_BEDROCK_GUARDRAIL_ID] = guardrail
    return found


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdigit() else None


def _counted(answer: Answer, counts: list[int | None]) -> Answer:
    """The answer with the service's counts where its body has none; they leave cached input out, as Converse's do."""
    given, made, read, written = counts
    known = answer.attributes
    if answer.input_tokens is not None or given is None:
        return answer if answer.output_tokens is not None else answer._replace(output_tokens=made)
    cached = {A.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: read, A.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: written}
    more = {name: count for name, count in cached.items() if count is not None and name not in known}
    total = given + (read or 0) + (written or 0)
    output = made if answer.output_tokens is None else answer.output_tokens
    return answer._replace(attributes={**known, **more}, input_tokens=total, output_tokens=output)
