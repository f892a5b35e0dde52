"""The clients that Speakeasy made: both kinds in one object."""

from __future__ import annotations

from typing import Any


class Bound:
    """A client as one kind: the SDK has both in one object, and a method of each name for both."""

    def __init__(self, kind: str, sdk: Any) -> None:
        self.kind = kind
        self.sdk = sdk

    def call(self, path: str, **options: Any) -> Any:
        """`chat.complete` of the SDK, or `chat.complete_async`."""
        owner, _, name = path.rpartition(".")
        found = self.sdk
        for part in owner.split("."):
            found = getattr(found, part)
        return getattr(found, name if self.kind == "sync" else f"{name}_async")(**options)

    def close(self) -> Any:
        """Close the connections of this kind."""
        return self.sdk.__exit__(None, None, None) if self.kind == "sync" else self.sdk.__aexit__(None, None, None)
