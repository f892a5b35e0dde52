"""Graders that run on the provider's servers: a list of their results is no judgement, and a block records one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from both import done, each
from judgements import describe_judgement

import otel_agentops
from loopback import serve_json
from otel_agentops.testing import Capture

RESULTS = [{"name": "right", "score": 0.5, "passed": False}, {"name": "short", "score": 1.0, "passed": True}]


def answer(method: str, path: str, body: Any) -> tuple[int, Any]:
    """Answer as the evals API: a run is made, and its only item has two results."""
    if path.endswith("/output_items"):
        item = {"id": "item", "object": "eval.run.output_item", "status": "pass", "results": RESULTS}
        return 200, {"object": "list", "data": [item], "has_more": False, "first_id": "item", "last_id": "item"}
    return 200, {"id": "run", "object": "eval.run", "eval_id": "eval", "status": "completed", "model": "gpt-5.2"}


@pytest.fixture
def url() -> Iterator[str]:
    with serve_json(answer) as running:
        yield running


@pytest.fixture
async def client(kind: str, url: str) -> AsyncIterator[Any]:
    made = {"sync": openai.OpenAI, "async": openai.AsyncOpenAI}[kind]
    talking = made(api_key="k", base_url=url, max_retries=0)
    yield talking
    await done(talking.close())


async def list_results(client: Any) -> list[Any]:
    source: Any = {"type": "jsonl", "source": {"type": "file_id", "id": "file"}}
    run = await done(client.evals.runs.create("eval", data_source=source))
    page = client.evals.runs.output_items.list(run.id, eval_id=run.eval_id)
    return [result async for item in each(page) for result in item.results]


async def test_listed_results_are_no_judgements(seen: Capture, client: Any) -> None:
    first, second = await list_results(client), await list_results(client)
    assert [result.name for result in first] == [result.name for result in second] == ["right", "short"]
    assert seen.events == []
    assert seen.spans == []


async def test_block_records_a_listed_result(seen: Capture, client: Any) -> None:
    for result in await list_results(client):
        with otel_agentops.judge(result.name, model="gpt-5.2", prompt="Right?") as verdict:
            verdict.score(result.score, label="passed" if result.passed else "failed")
    options: Any = {"model": "gpt-5.2", "prompt": "Right?"}
    assert seen.events == [
        describe_judgement(
            result["name"],
            **options,
            gen_ai__evaluation__score__value=result["score"],
            gen_ai__evaluation__score__label="passed" if result["passed"] else "failed",
        )
        for result in RESULTS
    ]
