"""The judge: with Phoenix, a second model says whether an answer rests on what the shop knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phoenix.evals import LLM, ClassificationEvaluator

MODEL = "claude-haiku-5"
PROMPT = """\
You grade answers of a support agent. Read the question, the context and the answer.
Pass an answer that the context supports and that answers the question. Fail any other.

Question:
{question}

Context:
{context}

Answer:
{answer}"""
CHOICES = {"pass": 1.0, "fail": 0.0}
A_SECOND = 100.0  # requests that Phoenix lets through; it begins with fewer than the agent has customers


class Judge:
    """An LLM as a judge."""

    def __init__(self, **client: Any) -> None:
        """Take what Anthropic's client takes."""
        llm = LLM(provider="anthropic", model=MODEL, initial_per_second_request_rate=A_SECOND, **client)
        self._grounded = ClassificationEvaluator(
            name="grounded", llm=llm, prompt_template=PROMPT, choices=CHOICES, max_tokens=200
        )

    def has_passed(self, question: str, context: Sequence[str], answer: str) -> bool:
        """Grade an answer; a verdict of the judge that is no choice raises ValueError."""
        case = {"question": question, "context": "\n".join(context), "answer": answer}
        (score,) = self._grounded.evaluate(case)
        return score.label == "pass"
