"""Together's reranking, and its embeddings without counts; the rest is OpenAI's. Paths: `/together/…`."""

from __future__ import annotations

from typing import Any

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Call
from otel_agentops.testing.fake_provider.wire import Reply


def rerank(body: dict[str, Any], model: str, answer: Answer) -> dict[str, Any]:
    """All documents, the first one best."""
    count = len(body.get("documents") or [])
    results = [
        {"index": index, "relevance_score": round(1 - index / count, 3), "document": {}}
        for index in range(min(count, body.get("top_n") or count))
    ]
    usage = {"prompt_tokens": answer.input_tokens, "completion_tokens": 0, "total_tokens": answer.input_tokens}
    return {"id": f"rr-{answer.id}", "object": "rerank", "model": model, "results": results, "usage": usage}


def _path(path: str) -> str:
    return path.partition("?")[0]


def _speaks(path: str) -> bool:
    return path.startswith("/together/") and (_path(path).endswith("/rerank") or openai_wire.DIALECT.speaks(path))


def _reply(call: Call, answer: Answer) -> Reply | None:
    if call.method == "POST" and _path(call.path).endswith("/rerank"):
        return Reply(lambda: rerank(call.body, call.model, answer))
    reply = openai_wire.DIALECT.reply(call, answer)
    if reply is None or not _path(call.path).endswith("/embeddings"):
        return reply
    whole = reply.whole
    return Reply(lambda: {name: value for name, value in whole().items() if name != "usage"})


DIALECT = openai_wire.DIALECT._replace(speaks=_speaks, reply=_reply)
