"""Retrieval over the help pages: an index of embeddings in memory."""

from __future__ import annotations

from collections.abc import Sequence

from openai import OpenAI

from support_agent.telemetry import retrieval

MODEL = "text-embedding-3-small"


class Knowledge:
    """An index of short texts; a rebuilt index has another `version`."""

    def __init__(self, gpt: OpenAI, name: str, version: str, texts: Sequence[str]) -> None:
        self._gpt = gpt
        self.name = name
        self.version = version
        self._texts = texts
        self._vectors = self._embed_texts(texts)

    def find_texts(self, question: str, top_k: int = 3) -> list[str]:
        """Find the texts nearest to a question, best first."""
        with retrieval(self.name, version=self.version, embedding_model=MODEL, top_k=top_k) as query:
            (vector,) = self._embed_texts([question])
            near = sorted(
                zip(self._vectors, self._texts, strict=True), key=lambda pair: -_multiply_vectors(pair[0], vector)
            )
            texts = [text for _, text in near[:top_k]]
            query.documents(texts)
        return texts

    def find_quotes(self, answer: str) -> list[str]:
        """Find the texts that an answer quotes, retrieved for it or not."""
        return [text for text in self._texts if text in answer]

    def _embed_texts(self, texts: Sequence[str]) -> list[list[float]]:
        answer = self._gpt.embeddings.create(model=MODEL, input=list(texts))
        return [one.embedding for one in answer.data]


def _multiply_vectors(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))
