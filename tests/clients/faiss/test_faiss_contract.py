"""One `search` is one retrieval, whatever the class of the index; a file that it was read from is its version."""

from __future__ import annotations

import os
from pathlib import Path

import faiss
import numpy as np
import pytest
from retrieval_spans import describe_retrieval

import otel_agentops
from otel_agentops.stores.faiss import Instrumentor
from otel_agentops.testing import Capture

VECTORS = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype="float32")
QUERY = np.array([[1.0, 0.0]], dtype="float32")


@pytest.mark.parametrize(
    ("kind", "scores", "order"), [("IndexFlatL2", (0, 1), "distance"), ("IndexFlatIP", (1, 1), "similarity")]
)
def test_search_is_one_span(seen: Capture, kind: str, scores: tuple[float, float], order: str) -> None:
    index = getattr(faiss, kind)(2)
    index.add(VECTORS)
    found, ids = index.search(QUERY, 2)
    assert found.shape == ids.shape == (1, 2)
    assert seen.spans == [describe_retrieval(kind, 2, 2, scores=scores, kind=order)]


@pytest.mark.parametrize("recipe", ["Flat", "IDMap,Flat", "PCA2,Flat", "HNSW8", "IVF1,Flat", "SQ8", "Flat,RFlat"])
def test_every_kind_of_index_is_one_span(seen: Capture, recipe: str) -> None:
    index = faiss.index_factory(2, recipe)
    data = np.random.default_rng(1).random((50, 2), dtype="float32")
    index.train(data)
    if recipe.startswith("IDMap"):
        index.add_with_ids(data, np.arange(50))
    else:
        index.add(data)
    index.search(QUERY, k=3)
    (span,) = seen.spans
    assert span["attributes"]["otel_agentops.retrieval.document.count"] == 3
    assert span["attributes"]["gen_ai.retrieval.top_k"] == 3


def test_places_without_a_result_are_not_counted(seen: Capture) -> None:
    index = faiss.IndexFlatL2(2)
    index.search(QUERY, 2)
    assert seen.spans == [describe_retrieval("IndexFlatL2", 2, 0)]


def test_file_of_the_index_is_its_version(seen: Capture, tmp_path: Path) -> None:
    path = tmp_path / "docs.faiss"
    index = faiss.IndexFlatL2(2)
    index.add(VECTORS)
    faiss.write_index(index, str(path))
    os.utime(path, (1777608000, 1777608000))
    faiss.read_index(str(path)).search(QUERY, 2)
    facts = {
        "version": f"1777608000000-{path.stat().st_size}",
        "otel_agentops__index__built_at": "2026-05-01T04:00:00Z",
    }
    assert seen.spans == [describe_retrieval("docs.faiss", 2, 2, scores=(0, 1), kind="distance", **facts)]


def test_application_may_name_the_index(seen: Capture) -> None:
    index = faiss.IndexFlatL2(2)
    index.add(VECTORS)
    with otel_agentops.retrieval("docs", version="7"):
        index.search(QUERY, 2)
    assert seen.spans == [
        describe_retrieval("docs", 2, 2, version="7", source="declared", scores=(0, 1), kind="distance")
    ]


def test_failing_search_is_the_error_of_the_library(seen: Capture) -> None:
    with pytest.raises(AssertionError):
        faiss.IndexFlatL2(2).search(np.array([[1.0, 2.0, 3.0]], dtype="float32"), 2)
    assert seen.spans == [describe_retrieval("IndexFlatL2", 2, None, error__type="AssertionError")]


def test_uninstrumented_searches_pass(seen: Capture, instrumentor: Instrumentor) -> None:
    original = faiss.IndexFlat.__dict__["search"]
    instrumentor.uninstrument()
    assert faiss.IndexFlat.__dict__["search"] is not original
    index = faiss.IndexFlatL2(2)
    index.add(VECTORS)
    assert index.search(QUERY, 2)[1].tolist() == [[0, 2]]
    assert seen.spans == []
