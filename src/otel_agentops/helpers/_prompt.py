"""A prompt template, whose hash is the prompt identity of the model calls inside."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from typing_extensions import override

from otel_agentops import _coerce, _telemetry
from otel_agentops._block import Block
from otel_agentops._context import current_scope, enter_scope


class prompt(Block):  # noqa: N801
    """The template of the model calls inside: its hash, not that of the rendered text, is the prompt's identity.

    Args:
        name: The template's name.
        template: The text before anything is filled in; without it, name and version are the identity.
        version: The template's version.
        variables: Filled in by `text`.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        template: str | None = None,
        version: str | None = None,
        variables: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(name, template=template, version=version, variables=variables)
        self.name = name
        self.template = template
        self.version = version
        self.variables = variables

    @property
    def text(self) -> str:
        """Return the template with its variables filled in by `str.format`.

        Raises:
            KeyError: A variable is missing.
        """
        return (self.template or "").format(**self.variables) if self.variables else self.template or ""

    @override
    def enter_block(self, stack: ExitStack) -> None:
        identities = _telemetry.get_default().identities
        name, version = _coerce.as_text(self.name), _coerce.as_text(self.version)
        declared = _coerce.identify_json(
            "a prompt's template", lambda: identities.declare_template(name, version, self.template)
        )
        enter_scope(stack, current_scope()._replace(prompt=declared))
