"""The rendered config inside the operator's resources, which take one config and no list from the environment."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from otel_agentops.collector import environment, render
from otel_agentops.collector.document import ConfigError, Document, lookup
from otel_agentops.collector.situation import PIPELINES

LISTS = ("receivers", "processors", "exporters")
_LOOPBACK = ("127.", "localhost:", "[::1]")


def resources(template: str, documents: Sequence[Document], environ: Mapping[str, str]) -> str:
    """The resources with the config of these documents in the first of them. Raises ConfigError.

    References stay as they are, but for the lists of pipelines: the operator's schema has arrays of names there.
    """
    yaml = render.round_trip()
    config = render.plain(yaml.load(render.rendered(documents)))
    first, *others = yaml.load_all(template)
    for id_, pipeline in lookup(config, *PIPELINES).items():
        for key in LISTS:
            if isinstance(pipeline.get(key), str):
                pipeline[key] = _names(documents, id_, key, environment.resolved(pipeline[key], environ))
    first["spec"]["config"] = config
    output = io.StringIO()
    yaml.dump_all([first, *others], output)
    return output.getvalue()


def unreachable(documents: Sequence[Document], environ: Mapping[str, str]) -> Iterator[str]:
    """Receivers that listen where no other pod comes to."""
    for document in documents:
        receivers = document.get("receivers")
        for id_, receiver in receivers.items() if isinstance(receivers, Mapping) else ():
            for endpoint in _endpoints(environment.resolved(receiver, environ)):
                if endpoint.startswith(_LOOPBACK):
                    where = document.at("receivers", id_)
                    yield f"{where}: {id_} listens on {endpoint}, where no other pod comes to; write 0.0.0.0 there"


def _names(documents: Sequence[Document], id_: str, key: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        where = next(one.at(*PIPELINES, id_, key) for one in documents if one.entry(*PIPELINES, id_, key))
        raise ConfigError(f"{where}: {key} of {id_} are {value}; the operator needs a list of names")
    return value


def _endpoints(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, content in value.items():
            if key == "endpoint" and isinstance(content, str):
                yield content
            else:
                yield from _endpoints(content)
