"""The rendered config inside the operator's resources, which take one config and no list from the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from otel_agentops._yaml import InputError, build_round_trip, dump_text
from otel_agentops.collector import environment, render
from otel_agentops.collector.document import Document, get_nested
from otel_agentops.collector.situation import PIPELINES

LISTS = ("receivers", "processors", "exporters")
_LOOPBACK = ("127.", "localhost:", "[::1]")


def build_resources(template: str, documents: Sequence[Document], environ: Mapping[str, str]) -> str:
    """Return the resources with the config of these documents in the first of them.

    References stay as they are, but for the lists of pipelines: the operator's schema has arrays of names there.

    Raises:
        InputError: A list of a pipeline is not a list of names.
    """
    yaml = build_round_trip()
    config = render.copy_plain(yaml.load(render.render_documents(documents)))
    first, *others = yaml.load_all(template)
    for id_, pipeline in get_nested(config, *PIPELINES).items():
        for key in LISTS:
            if isinstance(pipeline.get(key), str):
                names = environment.resolve_references(pipeline[key], environ)
                if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                    holders = (document for document in documents if document.find_entry(*PIPELINES, id_, key))
                    where = next(holders).locate(*PIPELINES, id_, key)
                    raise InputError(f"{where}: {key} of {id_} are {names}; the operator needs a list of names")
                pipeline[key] = names
    first["spec"]["config"] = config
    return dump_text(first, *others)


def find_unreachable(documents: Sequence[Document], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each receiver that listens where no other pod comes to."""
    for document in documents:
        receivers = document.get("receivers")
        for id_, receiver in receivers.items() if isinstance(receivers, Mapping) else ():
            for endpoint in _find_endpoints(environment.resolve_references(receiver, environ)):
                if endpoint.startswith(_LOOPBACK):
                    where = document.locate("receivers", id_)
                    yield f"{where}: {id_} listens on {endpoint}, where no other pod comes to; write 0.0.0.0 there"


def _find_endpoints(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, content in value.items():
            if key == "endpoint" and isinstance(content, str):
                yield content
            else:
                yield from _find_endpoints(content)
