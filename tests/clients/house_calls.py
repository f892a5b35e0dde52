"""What the task of a run says whose model is a class of the program's own: no client here makes its calls."""

from __future__ import annotations

from typing import Any

from agent_runs import OUTCOME, describe_model_call, read_sums

from otel_agentops.testing import Capture, Record

ANSWER = "Sunny."
TOKENS = (12, 3)  # of each call, where a class can tell them


def check_house_run(seen: Capture, task: str, calls: int = 1, tokens: tuple[Any, Any] = TOKENS) -> list[Record]:
    """Check that each call of a model is counted once and has one span; return these spans.

    Args:
        seen: What was emitted.
        task: The name of the task.
        calls: How many calls of the model the run made.
        tokens: What one call reports.
    """
    sums = [None if count is None else calls * count for count in tokens]
    (root,) = [span for span in seen.spans if OUTCOME in span["attributes"]]
    assert [root["name"], *read_sums(root, *_SUMS)] == [f"invoke_workflow {task}", calls, None, *sums]
    spans = [span for span in seen.spans if span["attributes"].get("gen_ai.operation.name") in _OPERATIONS]
    assert len(spans) == calls, [span["name"] for span in seen.spans]
    used = [(span["attributes"].get(_INPUT), span["attributes"].get(_OUTPUT)) for span in spans]
    assert used == [tokens] * calls
    return spans


def describe_house_call(parent: str, **more: Any) -> Record:
    """Return our span of a call whose class has a parameter and a model, and whose answer names none."""
    more["otel_agentops.model.resolution"] = "unreported"
    span = describe_model_call(parent=parent, **more)
    del span["attributes"]["gen_ai.response.model"]
    return span


_SUMS = ("llm_calls", "llm_attempts", "input_tokens", "output_tokens")
_OPERATIONS = ("chat", "generate_content", "text_completion")
_INPUT, _OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
