"""Together's reranking, and its embeddings without counts; the rest is OpenAI's. Paths: `/together/…`."""

from __future__ import annotations

from otel_agentops.testing.fake_provider import openai_wire
from otel_agentops.testing.fake_provider.behaviour import Answer, Call, Json
from otel_agentops.testing.fake_provider.wire import Route


def write_ranking(call: Call, answer: Answer) -> Json:
    """Return all documents, the first one best."""
    count = len(call.body.get("documents") or [])
    results = [
        {"index": index, "relevance_score": round(1 - index / count, 3), "document": {}}
        for index in range(min(count, call.body.get("top_n") or count))
    ]
    usage = {"prompt_tokens": answer.input_tokens, "completion_tokens": 0, "total_tokens": answer.input_tokens}
    return {"id": f"rr-{answer.id}", "object": "rerank", "model": call.model, "results": results, "usage": usage}


def write_embeddings(call: Call, answer: Answer) -> Json:
    """Return OpenAI's embeddings without their usage."""
    embeddings = openai_wire.write_embeddings(call, answer)
    del embeddings["usage"]
    return embeddings


DIALECT = openai_wire.DIALECT._replace(
    base=r"^(?=/together/).*",
    routes={
        **openai_wire.DIALECT.routes,
        openai_wire.EMBEDDINGS: Route(write_embeddings),
        "/rerank": Route(write_ranking),
    },
)
