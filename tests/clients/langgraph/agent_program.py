"""An agent of LangChain as people write one: nothing of ours is imported.

agent_program.py <number of questions> <every n-th of them finds the search out of order>
"""

import itertools
import sys

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

QUESTIONS, EVERY = map(int, sys.argv[1:])
searches = itertools.count(1)


@tool
def search_help(city: str) -> str:
    """Search the help pages."""
    if next(searches) % EVERY == 0:
        raise TimeoutError("no replica of help-pages answers")
    return "Parcels take three days."


agent = create_agent(ChatOpenAI(model="gpt-x"), tools=[search_help], name="support")
for _ in range(QUESTIONS):
    try:
        agent.invoke({"messages": [{"role": "user", "content": "Where is my parcel?"}]})
    except TimeoutError:
        print("sorry")
