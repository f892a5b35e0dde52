"""The agent: read what is known, let the model talk and use tools, have the answer judged, or hand over."""

from __future__ import annotations

from typing import Any, NamedTuple

from anthropic import Anthropic
from openai import OpenAI

from support_agent import shop
from support_agent.grading import Judge
from support_agent.knowledge import Knowledge
from support_agent.telemetry import prompt, task
from support_agent.tools import Toolbox

MODEL = "gpt-5.5"
PROMPT_VERSION = "7"
SYSTEM = """\
You are the support agent of a small web shop. Be brief and concrete.
Answer from the articles and from what the tools return, and from nothing else.

Articles:
{articles}"""
HANDED_OVER = "A colleague will get back to you within the hour."
ROUNDS = 4  # of tool use, then the model has to answer


class Ticket(NamedTuple):
    """A customer's question; `again` is True if the last reply was no help."""

    question: str
    segment: str = "web"
    again: bool = False


class Reply(NamedTuple):
    """A reply; `receipt` has the facts of the task, to be kept until the truth about it is known."""

    text: str
    outcome: str
    receipt: dict[str, Any] | None


class Agent:
    """One agent with its clients; it can handle several tickets at a time."""

    def __init__(self, gpt: OpenAI, claude: Anthropic, tools: Toolbox) -> None:
        self._gpt = gpt
        self._judge = Judge(claude)
        self._tools = tools
        self._knowledge = Knowledge(gpt, "help-pages", shop.INDEX_VERSION, shop.ARTICLES)

    def handle(self, ticket: Ticket) -> Reply:
        with task("support", segment=ticket.segment, retry=ticket.again) as run:
            known = self._knowledge.search(ticket.question)
            answer = self._converse(ticket.question, known)
            run.used(self._knowledge.quoted(answer))
            passed = self._judge.grade(ticket.question, known, answer).passed
            outcome = "completed" if passed else "escalated"
            run.outcome(outcome)
        return Reply(answer if passed else HANDED_OVER, outcome, run.receipt())

    def _converse(self, question: str, known: list[str]) -> str:
        """The answer; what tools return is added to `known`."""
        articles = "\n".join(f"- {article}" for article in known)
        messages: list[Any] = [
            {"role": "system", "content": SYSTEM.format(articles=articles)},
            {"role": "user", "content": question},
        ]
        with prompt("support-system", template=SYSTEM, version=PROMPT_VERSION):
            for _ in range(ROUNDS):
                message = self._say(messages)
                if not message.tool_calls:
                    break
                messages.append(message.to_dict())
                messages += [self._use(call, known) for call in message.tool_calls]
        return message.content or ""

    def _say(self, messages: list[Any]) -> Any:
        """The model's next message, streamed as a chat window would have it."""
        with self._gpt.chat.completions.stream(
            model=MODEL,
            messages=messages,
            tools=self._tools.offered(),
            temperature=0.2,
            stream_options={"include_usage": True},
        ) as stream:
            return stream.get_final_completion().choices[0].message

    def _use(self, call: Any, known: list[str]) -> dict[str, Any]:
        result = self._tools.run(call.function.name, call.function.arguments, call.id)
        known.append(result)
        return {"role": "tool", "tool_call_id": call.id, "content": result}
