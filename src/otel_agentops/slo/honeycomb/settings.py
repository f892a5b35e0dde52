"""What a team says about its Honeycomb environment: which provider, which datasets, who is told."""

from __future__ import annotations

from otel_agentops.slo.honeycomb._hcl import Block, Raw, Value

_PROVIDER = {"source": "honeycombio/honeycombio", "version": "~> 0.51"}


def blocks() -> list[Block]:
    """The provider, and the variables of the whole directory."""
    strings = Raw("set(string)")
    return [
        Block(
            "terraform",
            [
                ("required_version", ">= 1.3"),  # optional() in the type of a variable
                None,
                Block("required_providers", [("honeycombio", _PROVIDER)]),
            ],
        ),
        Block('provider "honeycombio"', [Block("features", [Block("column", [("import_on_conflict", True)])])]),
        _variable(
            "services",
            Raw("map(string)"),
            "Slug of the dataset to the service.name that sends to it; each service has its own budgets.",
        ),
        _variable(
            "judge_revisions",
            strings,
            "Revisions of judges that have a budget. Each counts alone: two judges are two measures.",
            Raw("[]"),
        ),
        _variable(
            "create_columns",
            Raw("bool"),
            "Create what the queries read in each dataset: needed where not every column has been sent yet.",
            False,
        ),
        _variable("page_recipients", strings, "IDs of the recipients who are woken; none: no such alerts.", Raw("[]")),
        _variable("ticket_recipients", strings, "IDs of the recipients of the rest; none: no such alerts.", Raw("[]")),
    ]


def _variable(name: str, kind: Raw, description: str, default: Value | None = None) -> Block:
    said: list[tuple[str, Value]] = [("description", description), ("type", kind)]
    return Block(f'variable "{name}"', [*said, *([("default", default)] if default is not None else [])])
