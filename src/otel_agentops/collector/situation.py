"""What a check looks at: the files in their order, what they make together, and who will run it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from otel_agentops.collector import binary, environment, render
from otel_agentops.collector.document import Document, is_ours, lookup

PIPELINES = ("service", "pipelines")
COUNTING = "traces/otel_agentops"


class Situation(NamedTuple):
    """The files in their order, what they make together with the environment filled in, and the user's collector."""

    documents: Sequence[Document]
    config: Mapping[str, Any]
    environ: Mapping[str, str]
    collector: binary.Collector | None

    def at(self, *keys: str) -> str:
        """`file:line` of what counts: the last file that says it."""
        for document in reversed(self.documents):
            if document.entry(*keys):
                return document.at(*keys)
        return self.documents[0].at(*keys)

    def section(self, name: str) -> Mapping[str, Any]:
        """A section of the whole; empty where it is no mapping."""
        found = self.config.get(name)
        return found if isinstance(found, Mapping) else {}

    def pipelines(self) -> Mapping[str, Mapping[str, Any]]:
        """The pipelines of the whole."""
        found = lookup(self.config, *PIPELINES)
        return (
            {id_: one for id_, one in found.items() if isinstance(one, Mapping)} if isinstance(found, Mapping) else {}
        )


def situation(
    documents: Sequence[Document], environ: Mapping[str, str], collector: binary.Collector | None = None
) -> Situation:
    """Files as a collector would see them."""
    return Situation(documents, environment.resolved(render.merged(documents), environ), environ, collector)


def counting(found: Situation) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The pipelines that carry our metrics: one of ours is their receiver."""
    for id_, pipeline in found.pipelines().items():
        if id_.startswith("metrics") and any(map(is_ours, names(pipeline, "receivers"))):
            yield id_, pipeline


def names(pipeline: Mapping[str, Any], key: str) -> list[str]:
    """The ids in a list of a pipeline; a single name may stand for a list. The rest the collector refuses."""
    value = pipeline.get(key)
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def kind(id_: str) -> str:
    """The type of a component, the signal of a pipeline."""
    return id_.partition("/")[0]
