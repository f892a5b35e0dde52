"""Upstream facts that we rely on: names, types and values of the conventions that our registry refers to.

    python tools/upstream_facts.py DIR      write semconv/upstream.json and semconv/upstream-content.json
    python tools/upstream_facts.py DIR --check

DIR holds `genai/` and `core/`: the `model` directories of semantic-conventions-genai at the commit that
semconv/manifest.yaml pins and of semantic-conventions at the version that this commit pins. The facts are JSON, which
Weaver leaves alone when it reads the directory. The second file has the JSON schemas of the attributes with content.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import semconv_registry as registry

FACTS = registry.DIRECTORY / "upstream.json"
SCHEMAS = registry.DIRECTORY / "upstream-content.json"
CORE_VERSION = "v1.43.0"


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        print("name the directory of genai/ and core/: python tools/upstream_facts.py DIR [--check]", file=sys.stderr)
        return 2
    upstream = Path(arguments[0])
    texts = {FACTS: render(facts(upstream, registry.load())), SCHEMAS: render(find_schemas(upstream))}
    if "--check" in arguments:
        return 0 if all(text == path.read_text() for path, text in texts.items()) else 1
    for path, text in texts.items():
        path.write_text(text)
    return 0


def render(facts_by_kind: dict[str, Any]) -> str:
    return json.dumps(facts_by_kind, indent=1, ensure_ascii=False) + "\n"


def facts(upstream: Path, ours: registry.Files) -> dict[str, Any]:
    """Return everything that `ours` refers to, as `upstream` defines it."""
    files = [registry.read(path) for part in ("genai", "core") for path in sorted((upstream / part).rglob("*.yaml"))]
    attributes = {key: fact for content in files for key, fact in _attributes(content)}
    metrics = {metric["name"]: _pick(metric, "instrument", "unit") for metric in _all(files, "metrics")}
    events: dict[str, dict[str, Any]] = {event["name"]: {} for event in _all(files, "events")}
    spans = {span["type"]: _pick(span, "kind") for span in _all(files, "spans")}
    return {
        "sources": {
            "genai": {"repository": "open-telemetry/semantic-conventions-genai", "commit": pinned_commit()},
            "core": {"repository": "open-telemetry/semantic-conventions", "version": CORE_VERSION},
        },
        "attributes": _select("attribute", attributes, registry.foreign_attributes(ours)),
        "metrics": _select("metric", metrics, registry.list_refined(ours, "metric_refinements")),
        "events": _select("event", events, registry.list_refined(ours, "event_refinements")),
        "spans": _select("span", spans, registry.list_refined(ours, "span_refinements")),
    }


def find_schemas(upstream: Path) -> dict[str, Any]:
    """Return the JSON schema of each attribute that has one, without its explanations."""
    files = [registry.read(path) for path in sorted((upstream / "genai").rglob("*.yaml"))]
    places = {
        attribute["key"]: place
        for attribute in _all(files, "attributes")
        if (place := attribute.get("annotations", {}).get("type", {}).get("json_schema"))
    }
    paths = {key: upstream / place.replace("model", "genai", 1) for key, place in places.items()}
    return {key: _drop_explanations(json.loads(paths[key].read_text())) for key in sorted(paths)}


def _drop_explanations(schema: Any) -> Any:
    if isinstance(schema, dict):
        texts = [name for name in ("title", "description") if isinstance(schema.get(name), str)]
        return {name: _drop_explanations(value) for name, value in schema.items() if name not in texts}
    return [_drop_explanations(value) for value in schema] if isinstance(schema, list) else schema


def pinned_commit() -> str:
    """Return the commit of the GenAI registry that the manifest names."""
    manifest = registry.DIRECTORY / "manifest.yaml"
    match = re.search(r"registry_path: .*-([0-9a-f]{40})/", manifest.read_text())
    if match is None:
        raise registry.RegistryError(
            f"{manifest}: registry_path names no commit; end its directory in one of 40 digits"
        )
    return match[1]


def _attributes(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the attributes of a file in the form of today (`attributes`, `key`) or in core's (`groups`, `id`)."""
    defined = list(content.get("attributes", ()))
    for group in content.get("groups", ()):
        defined += [attribute for attribute in group.get("attributes", ()) if "id" in attribute]
    for attribute in defined:
        yield attribute.get("key") or attribute["id"], _fact(attribute["type"])


def _fact(type_: Any) -> dict[str, Any]:
    if isinstance(type_, str):
        return {"type": type_}
    return {"type": "string", "values": [member["value"] for member in type_["members"]]}


def _all(files: list[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    for content in files:
        yield from content.get(kind, ())


def _pick(signal: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: signal[key] for key in keys}


def _select(kind: str, by_name: dict[str, dict[str, Any]], names: list[str]) -> dict[str, dict[str, Any]]:
    missing = [name for name in names if name not in by_name]
    if missing:
        raise registry.RegistryError(f"upstream has no {kind} {', '.join(missing)}; correct the ref in semconv/")
    return {name: by_name[name] for name in sorted(names)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
