"""Files that are written whole or not at all, because a collector may read them at any moment."""

from __future__ import annotations

import shutil
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write text to a file, whose rights stay as they are; a link is followed."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(text.encode())  # line ends as they are
    if path.exists():
        shutil.copymode(path, new)
    new.replace(path)
