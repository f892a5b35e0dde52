"""A prompt template: its hash is the identity of what the model calls inside are told."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from typing_extensions import override

from otel_agentops import _coerce, _telemetry
from otel_agentops import scope as scopes
from otel_agentops._block import Block


class prompt(Block):  # noqa: N801
    """The template that the model calls inside are made from: its hash is the prompt's identity, not the rendered text.

    template: the text before anything is filled in; where it is not given, name and version are the identity.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        template: str | None = None,
        version: str | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, template=template, version=version, variables=variables)
        self.name = name
        self.template = template
        self.version = version
        self.variables = variables

    @property
    def text(self) -> str:
        """The template with its variables filled in by `str.format`. Raises KeyError where one is missing."""
        return (self.template or "").format(**self.variables) if self.variables else self.template or ""

    @override
    def enter(self, stack: ExitStack) -> None:
        identities = _telemetry.get().identities
        name, version = _coerce.text(self.name), _coerce.text(self.version)
        declared = _coerce.json("a prompt's template", lambda: identities.declared(name, version, self.template))
        stack.enter_context(scopes.entered(scopes.current()._replace(prompt=declared)))
