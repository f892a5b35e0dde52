"""Markers: a line on every graph where a variable was changed on purpose, in a colour of its own."""

from __future__ import annotations

from otel_agentops.semconv import attributes as A
from otel_agentops.slo.honeycomb._hcl import Block, Raw

_COLOURS = ("#DF4661", "#5E7CE2", "#9A6FB0", "#2E8B57", "#D98E04", "#5B8C99", "#8A6D3B")


def blocks() -> list[Block]:
    """A colour for each variable, and the marker of one change, made when it is given."""
    variables = sorted(A.CHANGE_VARIABLE_VALUES)
    kinds = {_type(variable): colour for variable, colour in zip(variables, _COLOURS, strict=False)}
    return [
        Block(
            'resource "honeycombio_marker_setting" "change"',
            [
                ("for_each", {f'"{kind}"': colour for kind, colour in kinds.items()}),
                None,
                ("type", Raw("each.key")),
                ("color", Raw("each.value")),
            ],
        ),
        _change(variables),
        Block(
            'resource "honeycombio_marker" "change"',
            [
                ("count", Raw("var.change == null ? 0 : 1")),
                None,
                ("type", Raw(f'"{_type("${var.change.variable}")}"')),
                ("message", Raw('"${var.change.scope}: ${var.change.previous} to ${var.change.value}"')),
                ("url", Raw("var.change.url")),
            ],
        ),
    ]


def _type(variable: str) -> str:
    return f"change-{variable}"


def _change(variables: list[str]) -> Block:
    said = "object({ variable = string, scope = string, previous = string, value = string, url = optional(string) })"
    names = ", ".join(f'"{variable}"' for variable in variables)
    allowed = [
        ("condition", Raw(f"var.change == null ? true : contains([{names}], var.change.variable)")),
        ("error_message", f"A variable is one of {', '.join(variables)}."),
    ]
    return Block(
        'variable "change"',
        [
            ("description", "A change that is being made now: the apply that is given one marks it on every graph."),
            ("type", Raw(said)),
            ("default", Raw("null")),
            None,
            Block("validation", [*allowed]),
        ],
    )
