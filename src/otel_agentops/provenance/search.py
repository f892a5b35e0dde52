"""The commits that brought an identity into a checkout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from otel_agentops._identity import Identities
from otel_agentops._yaml import InputError
from otel_agentops.provenance.files import FileIdentity, read_contents
from otel_agentops.provenance.history import Change, Checkout, Objects


class Origin(NamedTuple):
    """A change that brought an identity into a file.

    Attributes:
        change: The commit and the file.
        identity: The identity in the new version.
        value_before: The identity that it replaced; None in a new file, or if several were replaced.
        word_diff: The difference to the version before; empty in a new file.
    """

    change: Change
    identity: FileIdentity
    value_before: str | None
    word_diff: str


class Search(NamedTuple):
    """The origins of an identity, the newest first, and how much was searched."""

    origins: list[Origin]
    commits: int
    files: int
    versions: int


def find_origins(checkout: Checkout, value: str, identities: Identities) -> Search:
    """Return the changes after which a file has an identity that no version before it had."""
    changes, origins = checkout.list_changes(), []
    with checkout.open_objects() as objects:
        versions = _Versions(objects, identities)
        for change in changes:
            after = versions.read_identities(change.blob, change.file)
            if value not in after:
                continue
            before = [versions.read_identities(blob, change.file) for blob in change.blobs_before]
            if not any(value in one for one in before):
                identity = after[value]
                old_values = {
                    each.value
                    for each in (before[0].values() if before else ())
                    if each.value not in after and (each.attribute, each.part) == identity[1:]
                }
                value_before = old_values.pop() if len(old_values) == 1 else None
                origins.append(Origin(change, identity, value_before, checkout.diff_words(change)))
    commits = {change.commit.hash for change in changes} - {""}
    return Search(origins, len(commits), len({change.file for change in changes}), len(versions.by_version))


class _Versions:
    """The identities of the versions of files, each read once."""

    def __init__(self, objects: Objects, identities: Identities) -> None:
        self._objects = objects
        self._identities = identities
        self.by_version: dict[tuple[str, str], Mapping[str, FileIdentity]] = {}

    def read_identities(self, blob: str, file: str) -> Mapping[str, FileIdentity]:
        """Return the identities of a version by their value."""
        version = (blob, file)
        if version not in self.by_version:
            text = self._objects.read_text(blob, file)
            try:
                contents = [] if text is None else read_contents(file, text, self._identities).identities
            except InputError:  # a lock file of that time that is none
                contents = []
            self.by_version[version] = {one.value: one for one in reversed(contents)}
        return self.by_version[version]
