"""Judges on a fake provider, and their events as the tests expect them: whole, with the revision computed anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_agentops._hashing import identity
from otel_agentops.clients import openai
from otel_agentops.testing import Capture, Record, capture
from otel_agentops.testing.fake_provider import FakeProvider
from otel_agentops.testing.fake_provider.behaviour import Answer, Call, ToolCall

MODEL = "gpt-4o"
RESOLVED = "gpt-4o-2024-11-20"


def see_judgements(instrumentor: BaseInstrumentor) -> Iterator[Capture]:
    """Yield what a judge library and the client of its model emit; a conftest makes it the fixture `seen`."""
    with capture(openai.Instrumentor(), instrumentor) as everything:
        yield everything


@contextmanager
def run_provider(answer: Callable[[Call], Answer]) -> Iterator[FakeProvider]:
    """Run the provider of a judge's model, which is an alias."""
    with FakeProvider() as running:
        running.alias(MODEL, RESOLVED)
        running.answer(answer)
        yield running


def make_client(kind: str, provider: FakeProvider) -> Any:
    """Return a sync or an async client of OpenAI that asks the provider."""
    import openai as library

    owner = library.OpenAI if kind == "sync" else library.AsyncOpenAI
    return owner(api_key="k", base_url=provider.openai_url, max_retries=0)


def write_prompt(parts: Mapping[str, Any]) -> str:
    """Return the text that stands for the prompt of a judge."""
    return json.dumps(parts, ensure_ascii=False, sort_keys=True)


def answer_in_form(call: Call, text: str) -> Answer:
    """Return an answer by the tool that the call offers, else as a text."""
    if tools := call.body.get("tools"):
        return Answer(text="", tool_calls=(ToolCall(tools[0]["function"]["name"], text),))
    return Answer(text=text)


def describe_judgement(
    name: str,
    *,
    prompt: str | None = None,
    model: str | None = None,
    resolved: Sequence[str] = (),
    rubric_version: str | None = None,
    threshold: float | None = None,
    params: Mapping[str, Any] | None = None,
    in_span: bool = False,
    **more: Any,
) -> Record:
    """Return the event of a judgement.

    resolved: the models that answered, if they are not the one that was asked for. more: further attributes, `__` for a
    dot; of the judge's name and revision None if they are absent.
    """
    configuration = {
        "model": model,
        "prompt": None if prompt is None else identity([prompt]),
        "rubric_version": rubric_version,
        "threshold": threshold,
        "params": params,
        "resolved_models": sorted({*resolved} - {model}) or None,
    }
    attributes = {
        "gen_ai.evaluation.name": name,
        "otel_agentops.judge.name": name,
        "otel_agentops.judge.model": ",".join(resolved) or None,
        "otel_agentops.judge.params.hash": None if params is None else identity(params),
        "otel_agentops.judge.prompt.hash": configuration["prompt"],
        "otel_agentops.judge.revision": identity(
            [{key: value for key, value in configuration.items() if value is not None}]
        ),
        "otel_agentops.judge.rubric.version": rubric_version,
        "otel_agentops.judge.threshold": threshold,
        **{key.replace("__", "."): value for key, value in more.items()},
    }
    kept = {key: value for key, value in sorted(attributes.items()) if value is not None}
    return {"event_name": "gen_ai.evaluation.result", "in_span": in_span, "attributes": kept}


def list_revisions(seen: Capture) -> list[str | None]:
    """Return the revision of each judgement, in order."""
    return [event["attributes"].get("otel_agentops.judge.revision") for event in seen.events]


def list_judges(seen: Capture) -> list[str | None]:
    """Return the judge that each span of a model call is marked with."""
    return [
        span["attributes"].get("otel_agentops.judge.name")
        for span in seen.spans
        if span["attributes"].get("gen_ai.operation.name") == "chat"
    ]
