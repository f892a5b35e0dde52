"""A triage as one record: the outcome with its exit code, and for each incident its facts and its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import TypeAdapter

from otel_agentops.triage.facts import Calm, Incident, Snapshot
from otel_agentops.triage.verdict import Verdict, reach_verdict
from otel_agentops.triage.words import Line, describe_calm, describe_incident


class Outcome(str, Enum):
    """The result of a triage."""

    NAMED = "named"
    CALM = "calm"
    CANNOT_TELL = "cannot_tell"
    NO_DATA = "no_data"

    @property
    def exit_code(self) -> int:
        """Return the exit code of the command."""
        return {Outcome.CANNOT_TELL: 3, Outcome.NO_DATA: 4}.get(self, 0)


@dataclass(frozen=True)
class Finding:
    """An incident with its verdict and the lines of the screen."""

    verdict: Verdict
    incident: Incident
    lines: Sequence[Line]


@dataclass(frozen=True)
class Report:
    """A triage of all chosen services.

    Attributes:
        at_s: Time of the snapshot.
        outcome: `named` if each burn has a cause that is named.
        findings: The burns, the worst first.
        calm: The services in which nothing burns.
        calm_lines: A line for each of them.
    """

    at_s: float
    outcome: Outcome
    findings: Sequence[Finding]
    calm: Sequence[Calm]
    calm_lines: Sequence[Line]


def build_report(snapshot: Snapshot) -> Report:
    """Build the report of a snapshot."""
    findings = [Finding(reach_verdict(one), one, describe_incident(one)) for one in snapshot.incidents]
    if findings:
        is_named = all(finding.verdict.is_named for finding in findings)
        outcome = Outcome.NAMED if is_named else Outcome.CANNOT_TELL
    else:
        outcome = Outcome.CALM if snapshot.calm else Outcome.NO_DATA
    lines = [line for calm in snapshot.calm for line in describe_calm(calm, snapshot.at_s)]
    return Report(snapshot.at_s, outcome, findings, snapshot.calm, lines)


def render_json(report: Report) -> str:
    """Render a report as JSON."""
    return TypeAdapter(Report).dump_json(report, indent=2).decode() + "\n"


def build_schema() -> dict[str, Any]:
    """Build the JSON schema of a report."""
    return TypeAdapter(Report).json_schema(mode="serialization")
