"""A program as people have it: both clients, no line of telemetry."""

from __future__ import annotations

import anthropic
import openai

SYSTEM = "You are the agent of a small shop."
LOOKUP = {"name": "lookup", "description": "Finds an order.", "parameters": {"type": "object", "properties": {}}}


def main() -> None:
    gpt, claude = openai.OpenAI(max_retries=1), anthropic.Anthropic(max_retries=1)
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Where is my order?"}]
    tools = [{"type": "function", "function": LOOKUP}]
    answer = gpt.chat.completions.create(model="gpt-x", messages=turns, tools=tools, temperature=0.2)  # type: ignore[call-overload]
    print("chat:", answer.choices[0].message.content)
    options = {"include_usage": True}
    with gpt.chat.completions.create(model="gpt-x", messages=turns, stream=True, stream_options=options) as stream:  # type: ignore[call-overload]
        print("stream:", "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
    print("embedding:", len(gpt.embeddings.create(model="embed-x", input="order").data))
    question = {"role": "user", "content": "Is that polite?"}
    graded = claude.messages.create(model="claude-x", max_tokens=20, system=SYSTEM, messages=[question])  # type: ignore[list-item]
    print("message:", "".join(block.text for block in graded.content if block.type == "text"))
    try:
        gpt.chat.completions.create(model="gpt-refused", messages=[])
    except openai.BadRequestError as error:
        print("refused:", error.status_code)


if __name__ == "__main__":
    main()
