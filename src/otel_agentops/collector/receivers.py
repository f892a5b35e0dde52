"""Checks of what the overlay reads: receivers that are not there, read twice, or that bring spans nobody counts."""

from __future__ import annotations

from collections.abc import Iterator

from otel_agentops.collector.document import is_ours
from otel_agentops.collector.situation import COUNTING, LOGS, Situation, get_type, list_names
from otel_agentops.doctor import Finding

_VARIABLES = (
    "OTEL_AGENTOPS_RECEIVER",
    "OTEL_AGENTOPS_RECEIVERS",
    "OTEL_AGENTOPS_TRACE_RECEIVER",
    "OTEL_AGENTOPS_LOG_RECEIVER",
)


def check_readers(situation: Situation) -> Iterator[Finding]:
    """Find receivers from which the overlay reads and that are not there, or that it reads twice."""
    if COUNTING not in situation.get_pipelines():
        text = "the overlay is not among the files: nothing is counted"
        yield Finding("problem", situation.documents[0].name, text, "give otel-agentops.yaml, too")
        return
    there = [*situation.get_section("receivers"), *situation.get_section("connectors")]
    readers = list_names(situation.get_pipelines()[COUNTING], "receivers")
    of_logs = list_names(situation.get_pipelines().get(LOGS, {}), "receivers")
    for one in dict.fromkeys([*readers, *of_logs]):
        if one not in there:
            mine = ", ".join(id_ for id_ in there if not is_ours(id_)) or "none"
            text = f"the overlay reads from {one}, and there is no such receiver; there are {mine}"
            yield Finding("problem", situation.locate("receivers"), text, f"set {suggest_environment(situation)}")
    if not readers:
        text = "the overlay has no receiver: OTEL_AGENTOPS_RECEIVERS is set to nothing"
        yield Finding("problem", "environment", text, "unset it, or name the receiver")
    for one in readers:
        again = sorted(_find_sources(situation, one, set()) & (set(readers) - {one}))
        if again:
            text = f"the overlay reads {one} and {again[0]}, which feeds {one}: every span counts twice"
            yield Finding("problem", "environment", text, "take one of them out of OTEL_AGENTOPS_RECEIVER")
    if len(set(readers)) < len(readers):
        text = f"the overlay's receivers are {', '.join(readers)}: one is there twice"
        yield Finding("problem", "environment", text, "name each once in OTEL_AGENTOPS_RECEIVER")


def check_uncounted(situation: Situation) -> Iterator[Finding]:
    """Find receivers that bring spans or events to a pipeline of the user's and not to the overlay.

    An OTLP receiver that nobody left out on purpose is a problem; another one may bring spans of programs without a
    model, or spans that another collector has counted.
    """
    readers = {id_: list_names(situation.get_pipelines().get(id_, {}), "receivers") for id_ in (COUNTING, LOGS)}
    there = {*situation.get_section("receivers"), *situation.get_section("connectors")}
    if not readers[COUNTING] or not there.issuperset(readers[COUNTING]):  # then everything of it is another finding
        return
    is_chosen = any(name in situation.environ for name in _VARIABLES)
    lost = {id_: [one for one in _list_wanted(situation, id_) if one not in readers[id_]] for id_ in readers}
    for one in dict.fromkeys([*lost[COUNTING], *lost[LOGS]]):
        what = " and ".join(word for word, id_ in (("spans", COUNTING), ("events", LOGS)) if one in lost[id_])
        text = f"{what} that come to {one} are not counted; the overlay reads {', '.join(readers[COUNTING])}"
        advice = f"set {suggest_environment(situation)}"
        if get_type(one) != "otlp":
            advice += "; leave it if no model is called there, or another collector counted them"
        level = "problem" if get_type(one) == "otlp" and not is_chosen else "warning"
        yield Finding(level, situation.locate("receivers", one), text, advice)


def suggest_environment(situation: Situation) -> str:
    """Return the variables with which the overlay reads all that comes in: `OTEL_AGENTOPS_RECEIVER=otlp`."""
    traces, logs = (",".join(_list_wanted(situation, id_)) for id_ in (COUNTING, LOGS))
    if traces == logs or not logs:
        return f"OTEL_AGENTOPS_RECEIVER={traces or '<yours>'}"
    return f"OTEL_AGENTOPS_TRACE_RECEIVER={traces} OTEL_AGENTOPS_LOG_RECEIVER={logs}"


def _list_wanted(situation: Situation, counting: str) -> list[str]:
    """Return the receivers from which everything would be counted, those that are read already first.

    Of logs those that bring spans too, and OTLP: files and journals hold no evaluations.
    """
    receivers = situation.get_section("receivers")
    there = {*receivers, *situation.get_section("connectors")}
    readers = list_names(situation.get_pipelines().get(counting, {}), "receivers")
    traces, logs = (_list_feeding(situation, signal) for signal in ("traces", "logs"))
    feeding = traces
    if counting == LOGS:
        feeding = [one for one in [*traces, *logs] if get_type(one) == "otlp" or (one in traces and one in logs)]
    covered = set().union(*(_find_sources(situation, one, set()) for one in readers))
    return [
        *dict.fromkeys(one for one in readers if one in there),
        *dict.fromkeys(one for one in feeding if one in receivers and one not in readers and one not in covered),
    ]


def _list_feeding(situation: Situation, signal: str) -> list[str]:
    return [
        one
        for id_, pipeline in situation.get_pipelines().items()
        if get_type(id_) == signal and not is_ours(id_)
        for one in list_names(pipeline, "receivers")
    ]


def _find_sources(situation: Situation, connector: str, sources: set[str]) -> set[str]:
    """Return the receivers whose spans come out of a connector."""
    for pipeline in situation.get_pipelines().values():
        if connector in list_names(pipeline, "exporters"):
            for receiver in list_names(pipeline, "receivers"):
                if receiver not in sources:
                    sources.add(receiver)
                    _find_sources(situation, receiver, sources)
    return sources
