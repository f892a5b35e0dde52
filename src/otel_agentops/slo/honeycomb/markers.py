"""Markers: a line on every graph at a change that the team made, in a colour for each variable."""

from __future__ import annotations

from otel_agentops.semconv import attributes as A
from otel_agentops.slo.honeycomb._terraform import Block, Template

_COLOURS = ("#DF4661", "#5E7CE2", "#9A6FB0", "#2E8B57", "#D98E04", "#5B8C99", "#8A6D3B")
_TYPE = "object({ variable = string, scope = string, previous = string, value = string, url = optional(string) })"


def build_content() -> Block:
    """Return a colour for each variable, and the marker of the change that `var.change` describes."""
    variables = sorted(A.CHANGE_VARIABLE_VALUES)
    colours = {f"change-{variable}": colour for variable, colour in zip(variables, _COLOURS, strict=False)}
    names = ", ".join(f'"{variable}"' for variable in variables)
    return {
        "resource": {
            "honeycombio_marker_setting": {
                "change": {"for_each": colours, "type": Template("${each.key}"), "color": Template("${each.value}")}
            },
            "honeycombio_marker": {
                "change": {
                    "count": Template("${var.change == null ? 0 : 1}"),
                    "type": Template("change-${var.change.variable}"),
                    "message": Template("${var.change.scope}: ${var.change.previous} to ${var.change.value}"),
                    "url": Template("${var.change.url}"),
                }
            },
        },
        "variable": {
            "change": {
                "description": "A change that is being made now: the apply that is given one marks it on every graph.",
                "type": _TYPE,
                "default": None,
                "validation": {
                    "condition": Template(f"${{var.change == null ? true : contains([{names}], var.change.variable)}}"),
                    "error_message": f"A variable is one of {', '.join(variables)}.",
                },
            }
        },
    }
