"""An agent of LangChain as people write one: nothing of ours is imported.

agent_program.py <number of questions> <address of the store>
"""

import sys

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException

QUESTIONS, STORE = int(sys.argv[1]), sys.argv[2]
store = QdrantClient(url=STORE, timeout=1, check_compatibility=False)


@tool
def search_help(city: str) -> str:
    """Search the help pages."""
    return str(len(store.query_points("help-pages", query=[0.1, 0.2], limit=3).points))


agent = create_agent(ChatOpenAI(model="gpt-x"), tools=[search_help], name="support")
for _ in range(QUESTIONS):
    try:
        agent.invoke({"messages": [{"role": "user", "content": "Where is my parcel?"}]})
    except ResponseHandlingException:
        print("sorry")
