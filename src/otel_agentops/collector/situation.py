"""The input of every check: the files in their order, what they make together, and who will run it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from otel_agentops.collector import binary, environment, render
from otel_agentops.collector.document import Document, get_nested

PIPELINES = ("service", "pipelines")
COUNTING = "traces/otel_agentops"
LOGS = "logs/otel_agentops"

Pipeline = Mapping[str, Any]


class Situation(NamedTuple):
    """The files in their order, what they make together with the environment filled in, and the user's collector."""

    documents: Sequence[Document]
    config: Mapping[str, Any]
    environ: Mapping[str, str]
    collector: binary.Collector | None

    def locate(self, *keys: str) -> str:
        """Return `file:line` of what counts: the last file that says it."""
        for document in reversed(self.documents):
            if document.find_entry(*keys):
                return document.locate(*keys)
        return self.documents[0].locate(*keys)

    def get_section(self, name: str) -> Mapping[str, Any]:
        """Return a section of the whole, empty if it is not a mapping."""
        section = self.config.get(name)
        return section if isinstance(section, Mapping) else {}

    def get_pipelines(self) -> Mapping[str, Pipeline]:
        """Return the pipelines of the whole that are mappings."""
        pipelines = get_nested(self.config, *PIPELINES)
        if not isinstance(pipelines, Mapping):
            return {}
        return {id_: pipeline for id_, pipeline in pipelines.items() if isinstance(pipeline, Mapping)}

    def iterate_exporters(self, pipeline: Pipeline, passed: frozenset[str] = frozenset()) -> Iterator[str]:
        """Yield the exporters of a pipeline, and in the place of a `forward` those of the pipelines behind it."""
        for exporter in list_names(pipeline, "exporters"):
            if get_type(exporter) != "forward":
                yield exporter
            elif exporter not in passed:
                for behind in self.get_pipelines().values():
                    if exporter in list_names(behind, "receivers"):
                        yield from self.iterate_exporters(behind, passed | {exporter})


def build_situation(
    documents: Sequence[Document], environ: Mapping[str, str], collector: binary.Collector | None = None
) -> Situation:
    """Return files as a collector would see them."""
    config = environment.resolve_references(render.merge_documents(documents), environ)
    return Situation(documents, config, environ, collector)


def list_names(pipeline: Pipeline, key: str) -> list[str]:
    """Return the ids in a list of a pipeline; a single name may stand for a list. The rest the collector refuses."""
    value = pipeline.get(key)
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def get_type(id_: str) -> str:
    """Return the type of a component, the signal of a pipeline."""
    return id_.partition("/")[0]
