"""The agent does its work with and without the package, and what is seen of it is one task with everything below."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from demo import brain, world
from otel_agentops.clients.anthropic import Instrumentor as AnthropicInstrumentor
from otel_agentops.clients.openai import Instrumentor as OpenAIInstrumentor
from otel_agentops.judges.phoenix_evals import Instrumentor as PhoenixEvalsInstrumentor
from otel_agentops.stores._index_resolver import RESOLVER
from otel_agentops.stores.qdrant_client import Instrumentor as QdrantInstrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider
from support_agent import customers
from support_agent.agent import HANDED_OVER, Agent, Ticket
from support_agent.grading import Judge
from support_agent.tools import PUBLISHED, Toolbox

WHERE = Ticket("Where is my order A-1007?")
DAMAGED = Ticket("My order A-1007 arrived damaged, I want my money back.")


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        for name, model in brain.ALIASES.items():
            running.alias(name, model)
        running.answer(brain.answer_call)
        yield running


def agent(provider: FakeProvider, published: Path = PUBLISHED) -> Agent:
    gpt = openai.OpenAI(api_key="k", base_url=provider.openai_url)
    return Agent(gpt, Judge(api_key="k", base_url=provider.anthropic_url), Toolbox(published))


def drifted(directory: Path) -> Path:
    """The tools as another team published them: the argument of `lookup_order` has another name and type."""
    tools = json.loads(PUBLISHED.read_text())
    tools[0]["parameters"]["properties"] = {"order_number": {"type": "integer"}}
    published = directory / "tools.json"
    published.write_text(json.dumps(tools))
    return published


def test_questions_are_answered_with_tools_and_articles(provider: FakeProvider) -> None:
    handle = agent(provider).handle_ticket
    assert handle(WHERE).text == "Order A-1007, the backpack, is packed with Bring."
    assert handle(Ticket("Do you ship to Norway?")).text.startswith("Norway and Switzerland: we ship there")
    damaged = handle(DAMAGED)
    assert damaged.text.split(". ")[1] == "85 EUR of order A-1007 are refunded"
    assert "refunded in full" in damaged.text
    assert damaged.outcome == "completed"


def test_an_answer_that_talks_past_the_question_is_handed_over(provider: FakeProvider) -> None:
    provider.alias("gpt-5.5", brain.HASTY)
    assert agent(provider).handle_ticket(WHERE).outcome == "escalated"


def test_a_tool_whose_schema_no_longer_fits_fails(provider: FakeProvider, tmp_path: Path) -> None:
    assert agent(provider, drifted(tmp_path)).handle_ticket(WHERE).outcome == "escalated"
    said = provider.requests[-2].body["messages"][-1]
    assert "lookup_order failed" in said["content"]
    assert "order_number" in said["content"]


INSTRUMENTORS = (OpenAIInstrumentor, AnthropicInstrumentor, QdrantInstrumentor, PhoenixEvalsInstrumentor)


def seen_of(provider: FakeProvider, ticket: Ticket, published: Path = PUBLISHED) -> Capture:
    with capture(*(each() for each in INSTRUMENTORS)) as seen:
        served = agent(provider, published)
        RESOLVER.wait()  # the version of the index is known
        seen.clear()  # the index was embedded
        served.handle_ticket(ticket)
    return seen


def test_one_ticket_is_one_task_with_everything_below(provider: FakeProvider) -> None:
    seen = seen_of(provider, DAMAGED)
    assert [(span["name"], span["parent"]) for span in seen.spans] == [
        ("embeddings text-embedding-3-small", "invoke_workflow support"),
        ("retrieval help-pages", "invoke_workflow support"),
        ("chat gpt-5.5", "invoke_workflow support"),
        ("execute_tool lookup_order", "invoke_workflow support"),
        ("chat gpt-5.5", "invoke_workflow support"),
        ("execute_tool issue_refund", "invoke_workflow support"),
        ("chat gpt-5.5", "invoke_workflow support"),
        ("chat claude-haiku-5", "invoke_workflow support"),
        ("invoke_workflow support", None),
    ]
    root = seen.spans[-1]["attributes"]
    counts = {key.rpartition(".")[2]: value for key, value in root.items() if key.startswith("otel_agentops.task.")}
    assert counts.items() >= {"llm_calls": 4, "llm_attempts": 4, "tool_calls": 2, "tool_failures": 0}.items()
    assert counts["outcome"] == "completed"
    declared = {"retry": False, "tool_repeats": 1, "documents_used": 1, "documents_unfounded": 0}
    assert counts.items() >= declared.items()
    (retrieval,) = [span["attributes"] for span in seen.spans if span["name"] == "retrieval help-pages"]
    assert retrieval["otel_agentops.index.version"] == "help-pages-2026-11-01", "no line of the agent says so"
    used = [span["attributes"].get("otel_agentops.retrieval.indexes") for span in seen.spans if "gpt" in span["name"]]
    assert used == [["help-pages@help-pages-2026-11-01"]] * 3
    judged = next(span["attributes"] for span in seen.spans if span["name"] == "chat claude-haiku-5")
    assert judged["otel_agentops.judge.name"] == "grounded", "no line of the agent says so"
    (verdict,) = seen.events
    assert verdict["event_name"] == "gen_ai.evaluation.result"
    assert verdict["attributes"].items() >= {
        "gen_ai.evaluation.score.value": 1.0,
        "gen_ai.evaluation.score.label": "pass",
        "otel_agentops.judge.model": brain.JUDGE,
    }.items()  # fmt: skip


def test_a_receipt_is_taken_when_the_task_has_ended(provider: FakeProvider) -> None:
    with capture(*(each() for each in INSTRUMENTORS)) as seen:
        reply = agent(provider).handle_ticket(DAMAGED._replace(again=True))
    root = seen.spans[-1]["attributes"]
    assert reply.receipt is not None
    sums = {key: value for key, value in root.items() if key.startswith("otel_agentops.task.")}
    assert reply.receipt.items() >= sums.items()
    assert sums.items() >= {"otel_agentops.task.retry": True, "otel_agentops.task.outcome": "completed"}.items()
    assert reply.receipt["gen_ai.evaluation.score.value"] == 1.0


def test_the_demos_prices_are_those_of_its_models(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_AGENTOPS_PRICES", str(world.HERE / "prices.json"))
    for model in (brain.CAREFUL, brain.HASTY):
        provider.alias("gpt-5.5", model)
        assert seen_of(provider, WHERE).spans[-1]["attributes"]["otel_agentops.task.cost"] > 0


@pytest.mark.parametrize(
    ("question", "reply", "helped"),
    [
        (WHERE.question, "Order A-1007, the backpack, is packed with Bring.", True),
        (WHERE.question, "Order A-1008, the lamp, is packed with Bring.", False),
        (WHERE.question, HANDED_OVER, False),
        ("Do you ship to Norway, and are there customs duties?", "Norway and Switzerland: we ship there.", True),
        ("Do you ship to Norway, and are there customs duties?", HANDED_OVER, False),
    ],
)
def test_customers_know_whether_they_were_helped(question: str, reply: str, helped: bool) -> None:
    assert customers.has_helped(Ticket(question), reply) is helped


def test_some_customers_say_the_opposite() -> None:
    """So that what the agent thinks of an answer is not the truth about it."""
    asked = [ticket for ticket in itertools.islice(customers.iterate_tickets(), 300) if "A-" in ticket.question]
    angry = [ticket for ticket in asked if not customers.has_helped(ticket, ticket.question)]
    assert 0 < len(angry) < len(asked) / 15


def test_each_variable_shows_in_its_own_attribute_alone(provider: FakeProvider, tmp_path: Path) -> None:
    healthy = identities(seen_of(provider, WHERE))
    with_other_tools = identities(seen_of(provider, WHERE, drifted(tmp_path)))
    provider.alias("gpt-5.5", brain.HASTY)
    with_other_model = identities(seen_of(provider, WHERE))
    assert moved(healthy, with_other_tools) == {"otel_agentops.tools.hash", "otel_agentops.tool.hash"}
    assert moved(healthy, with_other_model) == {"gen_ai.response.model"}


IDENTITIES = (
    "gen_ai.response.model", "otel_agentops.prompt.hash", "otel_agentops.tools.hash", "otel_agentops.tool.hash",
    "otel_agentops.index.version", "otel_agentops.judge.revision", "otel_agentops.params.hash",
)  # fmt: skip


def identities(seen: Capture) -> dict[str, set[Any]]:
    """Each variable with all the values it had, and it had some."""
    emitted = [record["attributes"] for record in [*seen.spans, *seen.events]]
    found = {key: {attributes[key] for attributes in emitted if key in attributes} for key in IDENTITIES}
    assert all(found.values())
    return found


def moved(before: dict[str, set[Any]], after: dict[str, set[Any]]) -> set[str]:
    return {key for key in before if before[key] != after[key]}


def test_it_runs_without_the_package(provider: FakeProvider) -> None:
    """The import is refused as where nothing is installed."""
    program = (
        "import sys, runpy; sys.modules['otel_agentops'] = None; runpy.run_module('support_agent', None, '__main__')"
    )
    keys = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "PYTHONPATH": "examples"}
    urls = {"OPENAI_BASE_URL": provider.openai_url, "ANTHROPIC_BASE_URL": provider.anthropic_url}
    done = subprocess.run(
        [sys.executable, "-c", program, WHERE.question],
        env={**keys, **urls},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("Order A-1007, the backpack, is packed with Bring.\n", "")
