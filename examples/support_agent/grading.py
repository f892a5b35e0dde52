"""The judge: a second model says whether an answer rests on what the shop knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from anthropic import Anthropic

from support_agent.telemetry import judge, output

MODEL = "claude-haiku-5"
THRESHOLD = 0.7
RUBRIC = "3"
PROMPT = """\
You grade answers of a support agent. Read the question, the context and the answer.
Score from 0 to 1 how far the answer is supported by the context and answers the question.
Reply with JSON only: {"score": <number>, "reason": "<one sentence>"}"""


class Verdict(NamedTuple):
    """The judge's opinion."""

    score: float
    passed: bool


class Judge:
    """An LLM as a judge."""

    def __init__(self, claude: Anthropic) -> None:
        self._claude = claude

    def grade_answer(self, question: str, context: Sequence[str], answer: str) -> Verdict:
        """Grade an answer; a reply of the judge that is not JSON raises ValueError."""
        with judge("grounded", model=MODEL, prompt=PROMPT, rubric_version=RUBRIC, threshold=THRESHOLD) as verdict:
            score = self._ask_judge({"question": question, "context": list(context), "answer": answer})
            passed = score >= THRESHOLD
            verdict.score(score, label="pass" if passed else "fail")
        return Verdict(score, passed)

    def _ask_judge(self, case: dict[str, Any]) -> float:
        with output():
            reply = self._claude.messages.create(
                model=MODEL, max_tokens=200, system=PROMPT, messages=[{"role": "user", "content": json.dumps(case)}]
            )
            text = "".join(block.text for block in reply.content if block.type == "text")
            return float(json.loads(text)["score"])
