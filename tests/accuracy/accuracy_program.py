"""An application that does what the plan says, and prints how far it is: `accuracy_program.py FIRST COUNT CHUNK`.

It is started with `opentelemetry-instrument`, and drives openai's client and the verbs as an application does. The
provider answers inside the process, so that 100,000 tasks take ten minutes; no figure here would be another one. After
each chunk everything is handed to the exporters; then the number of tasks is printed. The last line is what only this
program knows: how long the model calls took.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import ExitStack, suppress

import httpx
import openai
from accuracy_plan import ASKED, JUDGES, PROMPT, SLOW, TOOLS, Plan, plan
from opentelemetry import trace
from opentelemetry._logs import get_logger_provider
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otel_agentops import judge, outcome, output, prompt, retrieval, task, tool
from otel_agentops.semconv import attributes as A


class Provider(httpx.BaseTransport):
    """Answers the task that is under way."""

    now: Plan

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.now.status == 0:
            raise asyncio.CancelledError
        if self.now.status != 200:
            return httpx.Response(self.now.status, json={"error": {"message": "no"}})
        asked, answered = self.now.tokens
        choice = {"index": 0, "finish_reason": self.now.finish, "message": {"role": "assistant", "content": "yes"}}
        usage = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
        body = {"id": "c", "object": "chat.completion", "created": 1, "model": self.now.model, "choices": [choice]}
        return httpx.Response(200, json={**body, "usage": usage})


class Durations(SpanProcessor):
    """Model calls that succeeded, by whether they took longer than a millisecond and a half."""

    def __init__(self) -> None:
        self.found: Counter[bool] = Counter()

    def on_end(self, span: ReadableSpan) -> None:
        attributes = span.attributes or {}
        if attributes.get(A.GEN_AI_OPERATION_NAME) == "chat" and A.ERROR_TYPE not in attributes:
            self.found[(span.end_time or 0) - (span.start_time or 0) > SLOW * 1e9] += 1


PROVIDER = Provider()
CLIENT = openai.OpenAI(api_key="k", http_client=httpx.Client(transport=PROVIDER), max_retries=0)


def perform(one: Plan) -> None:
    """One task, and what became known about it."""
    PROVIDER.now = one
    with task(one.name, segment=one.segment, retry=one.retry) as run:
        ask(one)
        for call in one.calls:
            with suppress(ValueError), tool(call.tool, arguments={"order": call.number}):
                if call.fails:
                    raise ValueError
        if one.found is not None:
            with retrieval("docs", version="v1") as query:
                query.documents(list(one.found))
        if one.used is not None:
            run.used(one.used)
        if one.judged:
            model, threshold = JUDGES[one.judged[0]]
            with judge("helpful", model=model, threshold=threshold) as verdict:
                verdict.score(one.judged[1])
        run.outcome(one.outcome)
    if one.truth:
        good, sampling, changed = one.truth
        texts = {} if changed is None else {"draft": "a" * 100, "kept": "b" * changed + "a" * (100 - changed)}
        outcome(good, receipt=run.receipt(), source="review", sampling=sampling, **texts)


def ask(one: Plan) -> None:
    messages = [{"role": "system", "content": PROMPT[one.name]}, {"role": "user", "content": f"number {one.number}"}]
    with ExitStack() as stack:
        stack.enter_context(suppress(openai.APIStatusError, asyncio.CancelledError))
        stack.enter_context(prompt("greeting", template=PROMPT[one.name]))
        made = None if one.valid is None else stack.enter_context(output())
        CLIENT.chat.completions.create(model=ASKED, messages=messages, tools=TOOLS)
        if made and one.valid is not None:
            made.valid(one.valid)


def main(first: int, count: int, chunk: int) -> None:
    durations, provider, logs = Durations(), trace.get_tracer_provider(), get_logger_provider()
    provider.add_span_processor(durations)  # type: ignore[attr-defined]
    for number in range(first, first + count):
        perform(plan(number))
        if (number + 1 - first) % chunk == 0 or number + 1 == first + count:
            assert provider.force_flush(120_000)  # type: ignore[attr-defined]
            logs.force_flush(120_000)  # type: ignore[attr-defined]
            print(number + 1, flush=True)
    print(json.dumps({"slow": durations.found[True], "all": durations.found.total()}), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
