"""The files that come with the package: the overlay, the fragments, each one idea, and resources for Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from otel_agentops._yaml import InputError
from otel_agentops.collector.document import Document

OVERLAY = "otel-agentops.yaml"
KUBERNETES = "kubernetes.yaml"


class Fragment(NamedTuple):
    """A file to lay over the overlay; its idea is the first sentence of its head comment."""

    name: str
    path: Path
    idea: str


def find_home() -> Path:
    """Return where the files are: in the installed package, or in the checkout that it is imported from."""
    installed = Path(__file__).with_name("config")
    return installed if installed.is_dir() else Path(__file__).parents[3] / "collector-config"


def list_fragments() -> list[Fragment]:
    """Return every fragment, by name."""
    paths = sorted((find_home() / "fragments").glob("*.yaml"), key=lambda path: path.stem)
    heads = (path.read_text().partition("\n")[0] for path in paths)
    return [Fragment(path.stem, path, head.removeprefix("# ")) for path, head in zip(paths, heads, strict=True)]


def find_fragment(name: str) -> Path:
    """Return the file of a fragment, or a file of the user's own.

    Raises:
        InputError: There is neither a fragment nor a file of that name.
    """
    paths = {fragment.name: fragment.path for fragment in list_fragments()}
    if name in paths:
        return paths[name]
    if Path(name).is_file():
        return Path(name)
    raise InputError(f"{name}: neither a file nor a fragment; there are {', '.join(paths)}")


def read_config(path: Path) -> Document:
    """Return a file as a document; one of ours is called by its name alone, wherever it is installed.

    Raises:
        InputError: The file cannot be read, or is not a config.
    """
    return Document.read_file(path, path.name if path.is_relative_to(find_home()) else None)


def read_overlay() -> Document:
    """Return the overlay."""
    return read_config(find_home() / OVERLAY)
