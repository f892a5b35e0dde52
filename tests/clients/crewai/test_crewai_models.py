"""A model that no client here is for is observed by CrewAI itself."""

from __future__ import annotations

from typing import Any

from crewai import Agent, BaseLLM, Crew, Task
from house_calls import ANSWER, check_house_run

from otel_agentops.testing import Capture


class House(BaseLLM):
    """A model of the program."""

    def call(self, messages: Any, tools: Any = None, **kwargs: Any) -> str:
        return f"Thought: I know.\nFinal Answer: {ANSWER}"


def test_model_without_a_client_is_counted(seen: Capture) -> None:
    clerk = Agent(role="clerk", goal="Answer.", backstory="Be brief.", llm=House(model="house-1", temperature=0.2))
    task = Task(description="What is the weather?", expected_output="A word.", agent=clerk)
    assert str(Crew(name="weather", agents=[clerk], tasks=[task]).kickoff()) == ANSWER
    (span,) = check_house_run(seen, "weather", tokens=(None, None))
    assert (span["name"], span["parent"]) == ("chat house-1", "invoke_agent clerk")
