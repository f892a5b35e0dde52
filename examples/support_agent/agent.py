"""The agent: search the help pages, let the model use tools and answer, have the answer judged, or escalate."""

from __future__ import annotations

from typing import Any, NamedTuple

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
ROUNDS = 4  # of tool use, after which the model has to answer


class Ticket(NamedTuple):
    """A customer's question; `again` is True if the last reply was no help."""

    question: str
    segment: str = "web"
    again: bool = False


class Reply(NamedTuple):
    """A reply; `receipt` holds the facts of the task, kept for the late label."""

    text: str
    outcome: str
    receipt: dict[str, Any] | None


class Agent:
    """One agent with its clients; it can handle several tickets at a time."""

    def __init__(self, gpt: OpenAI, judge: Judge, tools: Toolbox) -> None:
        self._gpt = gpt
        self._judge = judge
        self._tools = tools
        self._knowledge = Knowledge(gpt, "help-pages", shop.INDEX_VERSION, shop.ARTICLES)

    def handle_ticket(self, ticket: Ticket) -> Reply:
        """Answer a ticket, or hand it over if the judge does not pass the answer."""
        with task("support", segment=ticket.segment, retry=ticket.again) as run:
            context = self._knowledge.find_texts(ticket.question)
            answer = self._hold_conversation(ticket.question, context)
            run.used(self._knowledge.find_quotes(answer))
            passed = self._judge.has_passed(ticket.question, context, answer)
            outcome = "completed" if passed else "escalated"
            run.outcome(outcome)
        return Reply(answer if passed else HANDED_OVER, outcome, run.receipt())

    def _hold_conversation(self, question: str, context: list[str]) -> str:
        """Return the answer, and append the results of tools to `context`."""
        articles = "\n".join(f"- {article}" for article in context)
        messages: list[Any] = [
            {"role": "system", "content": SYSTEM.format(articles=articles)},
            {"role": "user", "content": question},
        ]
        with prompt("support-system", template=SYSTEM, version=PROMPT_VERSION):
            for _ in range(ROUNDS):
                message = self._ask_model(messages)
                if not message.tool_calls:
                    break
                messages.append(message.to_dict())
                messages += [self._use_tool(call, context) for call in message.tool_calls]
        return message.content or ""

    def _ask_model(self, messages: list[Any]) -> Any:
        """Return the model's next message, streamed as for a chat window."""
        with self._gpt.chat.completions.stream(
            model=MODEL,
            messages=messages,
            tools=self._tools.load_definitions(),
            temperature=0.2,
            stream_options={"include_usage": True},
        ) as stream:
            return stream.get_final_completion().choices[0].message

    def _use_tool(self, call: Any, context: list[str]) -> dict[str, Any]:
        """Run a tool call, append its result to `context` and return the message."""
        result = self._tools.run_tool(call.function.name, call.function.arguments, call.id)
        context.append(result)
        return {"role": "tool", "tool_call_id": call.id, "content": result}
