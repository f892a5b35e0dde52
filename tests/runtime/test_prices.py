"""What a call and a task cost at the user's prices, and what is unknown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from helper_spans import ask

from otel_agentops import _prices, task
from otel_agentops.clients.anthropic import Instrumentor as AnthropicInstrumentor
from otel_agentops.clients.openai import Instrumentor as OpenAIInstrumentor
from otel_agentops.doctor import examine_environment
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import Answer, Break, FakeProvider, Status

Said = Callable[[], list[str]]
MODELS = {
    "gpt-x-2026-03-01": {"input": 2, "output": 10, "cache_read": 0.5},
    "claude-x": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75},
    "embed-x": {"input": 0.02},
    "uncached": {"input": 2, "output": 10},
    "free": {"input": 0, "output": 0, "cache_read": 0},
    "short": {"input": 2, "output": 10, "cache_read": 0.5, "input_limit": 10},
    "enough": {"input": 2, "output": 10, "cache_read": 0.5, "input_limit": 11},
}
CHAT = (7 * 2 + 4 * 0.5 + 5 * 10) / 1e6  # the fake provider's 11 input tokens are 4 cached ones and 7 others


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"date": "2026-11-01", "source": "https://example.com", "models": MODELS}))
    return path


@pytest.fixture
def seen(prices: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    monkeypatch.setenv("OTEL_AGENTOPS_PRICES", str(prices))
    with capture(OpenAIInstrumentor(), AnthropicInstrumentor()) as everything:
        yield everything


def costs(seen: Capture) -> list[Any]:
    """Of the calls in their order, then of the task."""
    calls = [span["attributes"].get("otel_agentops.cost") for span in seen.spans if span["kind"] == "CLIENT"]
    return [*calls, *(s["attributes"].get("otel_agentops.task.cost") for s in seen.spans if s["kind"] == "INTERNAL")]


def test_task_cost_adds_up_calls_of_all_kinds(
    seen: Capture, provider: FakeProvider, gpt: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    provider.answer(lambda call: Answer(cache_write_tokens=3) if "claude" in call.model else Answer())
    hi: Any = [{"role": "user", "content": "hi"}]
    with task("support") as run:
        ask(gpt)
        for _ in ask(gpt, stream=True, stream_options={"include_usage": True}):
            pass
        gpt.responses.create(model="gpt-x", input="hi")
        claude.messages.create(model="claude-x", max_tokens=9, messages=hi)
        with claude.messages.stream(model="claude-x", max_tokens=9, messages=hi) as stream:
            stream.get_final_message()
        gpt.embeddings.create(model="embed-x", input="two words")
    message = (4 * 3 + 4 * 0.3 + 3 * 3.75 + 5 * 15) / 1e6  # of 11, 4 read from and 3 written to the cache
    expected = [CHAT, CHAT, CHAT, message, message, 2 * 0.02 / 1e6]
    assert costs(seen) == [*map(pytest.approx, expected), pytest.approx(sum(expected))]
    assert all(type(cost) is float for cost in costs(seen))
    assert run.receipt()["otel_agentops.task.cost"] == costs(seen)[-1]


def test_price_is_by_response_model_else_request_model(
    seen: Capture, provider: FakeProvider, gpt: openai.OpenAI
) -> None:
    provider.alias("free", "gpt-x-2026-03-01")
    gpt.chat.completions.create(model="free", messages=[])
    provider.alias("free", "nobody-knows")
    gpt.chat.completions.create(model="free", messages=[])
    assert costs(seen) == [pytest.approx(CHAT), 0.0]


@pytest.mark.parametrize("model", ["nobody-knows", "uncached", "embed-x", "short"])
def test_unknown_cost_of_a_call_makes_the_task_cost_unknown(
    seen: Capture, provider: FakeProvider, gpt: openai.OpenAI, model: str
) -> None:
    """No price of the model, of the cached tokens, of the output, of so long an input."""
    provider.alias(model, model)
    with task("support") as run:
        ask(gpt)
        gpt.chat.completions.create(model=model, messages=[])
    assert costs(seen) == [pytest.approx(CHAT), None, None]
    assert "otel_agentops.task.cost" not in run.receipt()


def test_input_up_to_the_limit_has_a_cost(seen: Capture, provider: FakeProvider, gpt: openai.OpenAI) -> None:
    gpt.chat.completions.create(model="enough", messages=[])
    assert costs(seen) == [pytest.approx(CHAT)]


def test_call_without_token_counts_has_no_cost(seen: Capture, provider: FakeProvider, gpt: openai.OpenAI) -> None:
    with task("support"):
        for _ in ask(gpt, stream=True):  # without usage
            pass
    provider.script(Break(after=1))
    with task("support"), pytest.raises((openai.APIError, httpx.HTTPError)):
        for _ in ask(gpt, stream=True):
            pass
    assert costs(seen) == [None, None, None, None]


def test_refused_call_adds_no_cost(seen: Capture, provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.script(Status(429, retry_after=0.01), Status(500), Status(503, retry_after=0.01))
    with task("support"):
        with pytest.raises(openai.InternalServerError):
            ask(gpt)
        ask(gpt)
    assert costs(seen) == [None, pytest.approx(CHAT), pytest.approx(CHAT)]


def test_cost_of_a_call_that_broke_is_unknown(seen: Capture, provider: FakeProvider, gpt: openai.OpenAI) -> None:
    provider.script(Break(), Break(), Break())
    with task("support"), pytest.raises(openai.APIConnectionError):
        ask(gpt)
    assert costs(seen) == [None, None]


def test_foreign_span_carries_the_cost(seen: Capture, gpt: openai.OpenAI) -> None:
    tracer = seen.tracer_provider.get_tracer("some.framework")
    with tracer.start_as_current_span("chat gpt-x", attributes={"gen_ai.operation.name": "chat"}):
        ask(gpt)
    (span,) = seen.spans
    assert span["attributes"]["otel_agentops.cost"] == pytest.approx(CHAT)


def test_task_without_calls_has_no_cost(seen: Capture) -> None:
    with task("support"):
        pass
    assert costs(seen) == [None]


def test_no_price_file_means_no_cost(gpt: openai.OpenAI) -> None:
    with capture(OpenAIInstrumentor()) as seen, task("support"):
        ask(gpt)
    assert costs(seen) == [None, None]


# -- the file

WRONG = [
    ("{", "it is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ("[]", "the file is not an object"),
    ("{}", "models is not an object"),
    ('{"models": {}, "dates": 1}', "dates is not a field; use models, date and source"),
    ('{"models": {"m": 3}}', "models.m is not an object"),
    ('{"models": {"m": {"output": 1}}}', "models.m.input is missing"),
    ('{"models": {"m": {"input": 1, "cached": 1}}}',
     "models.m.cached is not a field; use input, output, cache_read, cache_write, input_limit"),
    ('{"models": {"m": {"input": "1"}}}',
     "models.m.input is '1' and not a number of USD per million tokens, 0 or more"),
    ('{"models": {"m": {"input": -1}}}', "models.m.input is -1 and not a number of USD per million tokens, 0 or more"),
    ('{"models": {"m": {"input": 1, "input_limit": "9"}}}',
     "models.m.input_limit is '9' and not a number of tokens, 0 or more"),
    ('{"models": {"m": {"input": true}}}',
     "models.m.input is True and not a number of USD per million tokens, 0 or more"),
    ('{"models": {"m": {"input": 1, "output": NaN}}}',
     "models.m.output is nan and not a number of USD per million tokens, 0 or more"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), WRONG)
def test_invalid_price_file_warns_once_and_prices_nothing(tmp_path: Path, said: Said, text: str, reason: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    assert _prices.load_prices(str(path)) is None
    sentence = f"OTEL_AGENTOPS_PRICES={path} cannot be used and no cost is given: {reason}"
    assert said() == [sentence]
    found = examine_environment({"OTEL_AGENTOPS_PRICES": str(path)})
    assert [finding.text for finding in found if finding.subject == "settings"] == [sentence]


def test_missing_price_file_warns(tmp_path: Path, said: Said) -> None:
    assert _prices.load_prices(str(tmp_path)) is None
    assert _prices.load_prices(str(tmp_path / "none")) is None
    assert [sentence.rpartition(": ")[2] for sentence in said()] == ["Is a directory", "No such file or directory"]


def test_documented_price_files_are_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/tasks.md").read_text()
    path = tmp_path / "prices.json"
    for example in (page.split("```json\n")[1].split("```")[0], _prices.__doc__ or ""):
        path.write_text(example[example.index("{") :])
        assert set(_prices.load_prices(str(path)) or {}) == {"gpt-x-2026-03-01", "claude-x", "embed-x"}


def test_doctor_tells_where_prices_are_from(prices: Path) -> None:
    findings = examine_environment({"OTEL_AGENTOPS_PRICES": str(prices)})
    assert [finding.text for finding in findings if finding.subject == "prices"] == [
        "7 model names; date 2026-11-01, source https://example.com"
    ]
