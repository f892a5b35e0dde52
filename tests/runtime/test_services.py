"""One task in two services: its id arrives over HTTP, and every call is in exactly one sum."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from programs import service

from otel_agentops import task
from otel_agentops.testing import Capture
from otel_agentops.testing.fake_provider import FakeProvider

Spans = list[dict[str, Any]]
SERVICE = Path(service.__file__)


@contextmanager
def in_a_thread(provider: FakeProvider, gpt: openai.OpenAI, seen: Capture) -> Iterator[tuple[str, Callable[[], Spans]]]:
    """The second service in this process: its threads know nothing of the caller, and both have one telemetry."""
    server = service.serve(gpt)
    yield f"http://127.0.0.1:{server.server_address[1]}", list
    server.shutdown()
    server.server_close()


@contextmanager
def in_a_process(
    provider: FakeProvider, gpt: openai.OpenAI, seen: Capture
) -> Iterator[tuple[str, Callable[[], Spans]]]:
    """The second service in a process of its own."""
    with subprocess.Popen(
        [sys.executable, SERVICE, provider.openai_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        port = child.stdout.readline().strip()
        yield f"http://127.0.0.1:{port}", lambda: json.loads(child.communicate()[0])


both_places = pytest.mark.parametrize("second_service", [in_a_thread, in_a_process])


@both_places
def test_task_in_two_services_is_counted_once(
    provider: FakeProvider, gpt: openai.OpenAI, seen: Capture, second_service: Any
) -> None:
    with second_service(provider, gpt, seen) as (url, rest), task("support", tenant="acme", segment="web") as run:
        service.ask(gpt)
        service.call(url)
        service.call(url)
        remote = rest()
    spans = [*seen.spans, *remote]
    assert {span["attributes"]["otel_agentops.task.id"] for span in spans} == {run.id}
    assert {span["attributes"]["otel_agentops.task.name"] for span in spans} == {"support"}
    assert len([span for span in spans if "otel_agentops.task.outcome" in span["attributes"]]) == 1

    (root,) = (span for span in spans if span["name"] == "invoke_workflow support")
    agents = [span for span in spans if span["name"] == "invoke_agent research"]
    assert sums(root) == {"llm_calls": 1, "tool_calls": 0, "input_tokens": 11, "output_tokens": 5, "agents": 0}
    share = {"llm_calls": 1, "tool_calls": 1, "input_tokens": 11, "output_tokens": 5, "agents": 1}
    assert [sums(agent) for agent in agents] == [share, share]

    chats = [span for span in spans if span["name"] == "chat gpt-x"]
    assert len(chats) == 5  # three in the tasks, and two in the second service beside its tasks: in no sum
    beside = [chat for chat in chats if chat["parent"] == "remote"]
    assert len(beside) == (2 if second_service is in_a_process else 0)


@both_places
def test_tenant_is_not_propagated_by_default(
    provider: FakeProvider, gpt: openai.OpenAI, seen: Capture, second_service: Any
) -> None:
    with second_service(provider, gpt, seen) as (url, rest):
        with task("support", tenant="acme", segment="web", stage="canary"):
            service.call(url)
        spans = [*seen.spans, *rest()]
    told = {key for span in spans if span["name"] != "invoke_workflow support" for key in span["attributes"]}
    assert not {key for key in told if ".traffic." in key or ".rollout." in key}


RUBBISH = [
    "otel_agentops.task.id=" + "x" * 300 + ",otel_agentops.task.name=support",
    "otel_agentops.task.id=t1",
    "otel_agentops.task.id=%00%01,otel_agentops.task.name=support",
    "otel_agentops.task.id=,otel_agentops.task.name=",
    ",,;;==,%%%",
    "x" * 9000,
    ",".join(f"k{number}=v" for number in range(300)),
]


@pytest.mark.parametrize("header", RUBBISH, ids=range(len(RUBBISH)))
def test_invalid_baggage_starts_a_task_of_its_own(
    provider: FakeProvider, gpt: openai.OpenAI, seen: Capture, header: str
) -> None:
    with in_a_thread(provider, gpt, seen) as (url, _):
        service.call(url, {"baggage": header})
    (root,) = (span for span in seen.spans if span["name"] == "invoke_workflow research")
    assert root["attributes"]["otel_agentops.task.outcome"] == "completed"
    assert len(root["attributes"]["otel_agentops.task.id"]) == 32
    assert sums(root)["llm_calls"] == 1


def sums(span: dict[str, Any]) -> dict[str, int]:
    names = ("llm_calls", "tool_calls", "input_tokens", "output_tokens", "agents")
    return {name: span["attributes"][f"otel_agentops.task.{name}"] for name in names}
