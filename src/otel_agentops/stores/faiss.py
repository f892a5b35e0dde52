"""FAISS: each `search` of an index is one retrieval.

`search` is put on each class that has one when `faiss` is imported, so that a base class does not have that of its
subclasses: https://github.com/facebookresearch/faiss/blob/main/faiss/python/class_wrappers.py
"""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_step
from otel_agentops.stores._index_resolver import UNKNOWN, IndexFacts, describe_index
from otel_agentops.stores._queries import DISTANCE, SIMILARITY, Found, Query, get_argument, wrap_query

_INNER_PRODUCT = 0  # faiss.METRIC_INNER_PRODUCT; every other metric is a distance
_NONE_FOUND = -1  # fills up a row that has fewer results than asked for

# Name and facts of each index that was read from a file. The objects refuse attributes of ours.
_files: weakref.WeakKeyDictionary[Any, tuple[str, IndexFacts]] = weakref.WeakKeyDictionary()


def _begin_read(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> object:
    return library if library.active else None


def _keep_file(library: PatchedLibrary, index: Any, args: Arguments, kwargs: Keywords) -> None:
    """Remember the file of an index: another build has another time or size."""
    source = args[0] if args else None
    if isinstance(source, (str, Path)):
        status = Path(source).stat()
        build = f"{status.st_mtime_ns // 1_000_000}-{status.st_size}"
        _files[index] = (Path(source).name, describe_index(build_id=build, built_at=status.st_mtime))


def read_search(args: Arguments, kwargs: Keywords) -> Query:
    """Read the arguments of `search`."""
    index = args[0]
    name, facts = _files.get(index, (type(index).__name__, UNKNOWN))
    kind = SIMILARITY if index.metric_type == _INNER_PRODUCT else DISTANCE
    return Query(name, get_argument(args, kwargs, 2, "k"), facts, score_kind=kind)


def read_result(query: Query, result: Any) -> Found:
    """Read scores and ids, as far as there are any."""
    scores, ids = result[0].tolist(), result[1].tolist()
    rows = [
        [pair for pair in zip(*row, strict=True) if pair[1] != _NONE_FOUND] for row in zip(scores, ids, strict=True)
    ]
    return Found([pair[1] for row in rows for pair in row], [[pair[0] for pair in row] for row in rows])


_CLASSES = (
    "Index", "Index2Layer", "IndexFlat", "IndexFlatL2", "IndexFlatIP", "IndexFlat1D", "IndexPQ", "IndexLSH",
    "IndexScalarQuantizer", "IndexHNSW", "IndexHNSWFlat", "IndexHNSWPQ", "IndexHNSWSQ", "IndexHNSW2Level",
    "IndexIVF", "IndexIVFFlat", "IndexIVFFlatDedup", "IndexIVFPQ", "IndexIVFPQR", "IndexIVFScalarQuantizer",
    "IndexIVFFastScan", "IndexIVFPQFastScan", "IndexIDMap", "IndexIDMap2", "IndexPreTransform", "IndexRefine",
    "IndexRefineFlat", "IndexShards", "IndexReplicas", "IndexNSGFlat", "IndexNSG", "IndexNNDescent",
    "IndexNNDescentFlat", "IndexFastScan", "IndexPQFastScan", "IndexResidualQuantizer", "IndexLattice",
    "IndexRowwiseMinMax", "IndexRowwiseMinMaxFP16", "IndexSplitVectors", "MultiIndexQuantizer", "IndexRaBitQ",
    "IndexIVFRaBitQ", "IndexHNSWCagra", "IndexIVFIndependentQuantizer",
)  # fmt: skip
_SEARCH = wrap_query(read_search, read_result)
LIBRARY = PatchedLibrary(
    "faiss-cpu",
    ">=1.9,<2",
    (
        Target("faiss", "", "read_index", wrap_step(Around(_begin_read, _keep_file))),
        *(Target("faiss", name, "search", _SEARCH, own_only=True) for name in _CLASSES),
    ),
    ClientInfo(
        operations=("`search` of an index",),
        not_covered=("`range_search`, and indexes of bits (`IndexBinary`)",),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_faiss`."""

    libraries = (LIBRARY,)


FaissInstrumentor = Instrumentor  # the name that others give theirs
