"""The settings of a team's Honeycomb environment: its provider, datasets and recipients."""

from __future__ import annotations

from otel_agentops.slo.honeycomb._terraform import Block


def build_content() -> Block:
    """Return the provider and the variables of the whole directory."""
    return {
        "terraform": {
            "required_version": ">= 1.3",  # optional() in the type of a variable
            "required_providers": {"honeycombio": {"source": "honeycombio/honeycombio", "version": "~> 0.51"}},
        },
        "provider": {"honeycombio": {"features": {"column": {"import_on_conflict": True}}}},
        "variable": {
            "services": {
                "description": "Slug of the dataset to the service.name that sends to it; each service has its own "
                "budgets.",
                "type": "map(string)",
            },
            "judge_revisions": {
                "description": "Revisions of judges that have a budget. Each counts alone: two judges are two "
                "measures.",
                "type": "set(string)",
                "default": [],
            },
            "create_columns": {
                "description": "Create what the queries read in each dataset: needed where not every column has been "
                "sent yet.",
                "type": "bool",
                "default": False,
            },
            "page_recipients": {
                "description": "IDs of the recipients who are woken; none: no such alerts.",
                "type": "set(string)",
                "default": [],
            },
            "ticket_recipients": {
                "description": "IDs of the recipients of the rest; none: no such alerts.",
                "type": "set(string)",
                "default": [],
            },
        },
    }
