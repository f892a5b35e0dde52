"""Retrieval over the help pages: a collection of Qdrant in this process, behind an alias."""

from __future__ import annotations

from collections.abc import Sequence

from openai import OpenAI
from qdrant_client import QdrantClient, models

MODEL = "text-embedding-3-small"


class Knowledge:
    """An index of short texts; one that is built anew is another collection behind the same `name`."""

    def __init__(self, gpt: OpenAI, name: str, version: str, texts: Sequence[str]) -> None:
        self._gpt = gpt
        self.name = name
        self._texts = texts
        self._store = QdrantClient(":memory:")
        self._build_collection(f"{name}-{version}")

    def find_texts(self, question: str, top_k: int = 3) -> list[str]:
        """Find the texts nearest to a question, best first."""
        (vector,) = self._embed_texts([question])
        points = self._store.query_points(self.name, query=vector, limit=top_k).points
        return [self._texts[int(point.id)] for point in points]

    def find_quotes(self, answer: str) -> list[int]:
        """Find the numbers of the texts that an answer quotes, retrieved for it or not."""
        return [number for number, text in enumerate(self._texts) if text in answer]

    def _build_collection(self, built: str) -> None:
        vectors = self._embed_texts(self._texts)
        size = models.VectorParams(size=len(vectors[0]), distance=models.Distance.COSINE)
        self._store.create_collection(built, vectors_config=size)
        points = [models.PointStruct(id=number, vector=vector) for number, vector in enumerate(vectors)]
        self._store.upsert(built, points)
        alias = models.CreateAlias(collection_name=built, alias_name=self.name)
        self._store.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])

    def _embed_texts(self, texts: Sequence[str]) -> list[list[float]]:
        answer = self._gpt.embeddings.create(model=MODEL, input=list(texts))
        return [one.embedding for one in answer.data]
