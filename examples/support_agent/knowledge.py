"""Retrieval over the help pages: an index of embeddings in memory."""

from __future__ import annotations

from collections.abc import Sequence

from openai import OpenAI

from support_agent.telemetry import retrieval

MODEL = "text-embedding-3-small"


class Knowledge:
    """An index of short texts. version: of these texts; a rebuilt index has another one."""

    def __init__(self, gpt: OpenAI, name: str, version: str, texts: Sequence[str]) -> None:
        self._gpt = gpt
        self.name = name
        self.version = version
        self._texts = texts
        self._vectors = self._embed(texts)

    def search(self, question: str, top_k: int = 3) -> list[str]:
        """Return the texts nearest to a question, best first."""
        with retrieval(self.name, version=self.version, embedding_model=MODEL, top_k=top_k) as query:
            (asked,) = self._embed([question])
            near = sorted(zip(self._vectors, self._texts, strict=True), key=lambda pair: -_dot(pair[0], asked))
            found = [text for _, text in near[:top_k]]
            query.documents(found)
        return found

    def quoted(self, answer: str) -> list[str]:
        """The texts that an answer repeats, whether or not they were found for it."""
        return [text for text in self._texts if text in answer]

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        answer = self._gpt.embeddings.create(model=MODEL, input=list(texts))
        return [one.embedding for one in answer.data]


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))
