"""The files that come with the package: the overlay, the fragments, each one idea, and resources for Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from otel_agentops.collector.document import ConfigError, Document

OVERLAY = "otel-agentops.yaml"


class Fragment(NamedTuple):
    """A file to lay over the overlay. idea: its head comment's first sentence."""

    name: str
    path: Path
    idea: str


def home() -> Path:
    """Where the files are: in the installed package, or in the checkout that it is imported from."""
    installed = Path(__file__).with_name("config")
    return installed if installed.is_dir() else Path(__file__).parents[3] / "collector-config"


def overlay() -> Path:
    """The overlay."""
    return home() / OVERLAY


def kubernetes() -> Path:
    """Resources for the operator, with an empty config."""
    return home() / "kubernetes.yaml"


def fragments() -> list[Fragment]:
    """Every fragment, by name."""
    paths = sorted((home() / "fragments").glob("*.yaml"), key=lambda path: path.stem)
    return [Fragment(path.stem, path, _idea(path)) for path in paths]


def find(name: str) -> Path:
    """The file of a fragment that is named, or a file of the user's own. Raises ConfigError."""
    shipped = {fragment.name: fragment.path for fragment in fragments()}
    if name in shipped:
        return shipped[name]
    if Path(name).is_file():
        return Path(name)
    raise ConfigError(f"{name}: neither a file nor a fragment; there are {', '.join(shipped)}")


def read(path: Path) -> Document:
    """A file as a document; one of ours is called by its name alone, wherever it is installed. Raises ConfigError."""
    return Document.read(path, path.name if path.is_relative_to(home()) else None)


def _idea(path: Path) -> str:
    return path.read_text().partition("\n")[0].removeprefix("# ")
