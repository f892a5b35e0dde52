"""InvokeModel in every family, and knowledge bases, beside each peer of Bedrock: see test_bedrock_bodies.

python tests/coexistence/bedrock_cell.py    prints {"official, ours": {"stream llama": [{...}], ...}, ...}
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from bedrock_subject import BedrockSubject, made
from subject_cell import Cell, in_a_child
from test_bedrock_bases import ASKED, LOOKUP
from test_bedrock_invoke import FAMILIES

from otel_agentops.clients.bedrock import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider

EMBEDDINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "titan-embed": ("amazon.titan-embed-text-v2:0", {"inputText": "hi"}),
    "cohere-embed": ("cohere.embed-english-v3", {"texts": ["hi"], "input_type": "search_query"}),
}
BODIES = {**{name: row[:2] for name, row in FAMILIES.items()}, **EMBEDDINGS}


def calls(url: str) -> Iterator[tuple[str, Any]]:
    """Each call: its name, and what makes it and reads its answer to the end."""
    runtime, bases = made("sync", "bedrock-runtime", url), made("sync", "bedrock-agent-runtime", url)
    for name, (model, body) in BODIES.items():
        sent = {"modelId": model, "body": json.dumps(body)}
        yield f"plain {name}", lambda sent=sent: runtime.invoke_model(**sent)["body"].read()
        if name not in EMBEDDINGS:
            yield f"stream {name}", lambda sent=sent: list(runtime.invoke_model_with_response_stream(**sent)["body"])
    yield "retrieve", lambda: bases.retrieve(**LOOKUP)
    yield "generate", lambda: bases.retrieve_and_generate(**ASKED)
    yield "stream generate", lambda: list(bases.retrieve_and_generate_stream(**ASKED)["stream"])


def made_by(installed: list[Any]) -> dict[str, Any]:
    """The spans of each call when these are installed in this order."""
    cell = Cell()
    for instrumentor in installed:
        instrumentor().instrument()
    found = {}
    with FakeProvider() as provider:
        for name, make in calls(provider.url):
            make()
            found[name] = cell.look()
    return found


def main() -> None:
    logging.disable()
    found: dict[str, Any] = {}
    for title, where in BedrockSubject.peers.items():
        module, _, name = where.partition(":")
        theirs = getattr(import_module(module), name)
        found[f"{title}, alone"] = in_a_child(lambda theirs=theirs: made_by([theirs]))
        found[f"{title}, ours"] = in_a_child(lambda theirs=theirs: made_by([Instrumentor, theirs]))
        found[f"{title}, theirs"] = in_a_child(lambda theirs=theirs: made_by([theirs, Instrumentor]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
