"""Task, traffic and rollout facts as W3C baggage: sent to the team's other services, and read from theirs.

The HTTP instrumentations send baggage to every host, so only the groups that OTEL_AGENTOPS_BAGGAGE names travel, and
`remove_facts` keeps all of them away from a model provider.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from opentelemetry import baggage
from opentelemetry.context import Context

from otel_agentops._guard import say_once
from otel_agentops.operations import Attributes, Value
from otel_agentops.semconv import attributes as A

GROUPS = {
    "task": (A.TASK_ID, A.TASK_NAME),
    "traffic": (A.TRAFFIC_SEGMENT, A.TRAFFIC_INTENT),
    "tenant": (A.TRAFFIC_TENANT,),
    "rollout": (A.ROLLOUT_STAGE, A.ROLLOUT_ROUTE),
}
FACT_KEYS = frozenset(key for keys in GROUPS.values() for key in keys)
_UNBOUNDED = frozenset({A.TASK_ID, A.TRAFFIC_TENANT})  # one for each run or customer; the others become metric labels
_MAX_LENGTH = 256  # characters; a longer value is not one of ours
_MAX_VALUES = 200  # different values of a label that are believed when they come over the network

_allowed_keys: frozenset[str] = frozenset()
_received_values: dict[str, set[str]] = {}  # by key: values of labels that came over the network


def allow_groups(groups: Iterable[str]) -> None:
    """Send the facts of these groups from now on, and believe them if they arrive."""
    global _allowed_keys
    _allowed_keys = frozenset(key for group in groups for key in GROUPS[group])


def add_facts(facts: Mapping[str, Value], context: Context) -> Context:
    """Return the context with every fact that may travel in its baggage."""
    for key in facts.keys() & _allowed_keys:
        value = str(facts[key])
        if len(value) <= _MAX_LENGTH:
            context = baggage.set_baggage(key, value, context)
        else:
            say_once(f"long:{key}", "a %s of more than %d characters stays in this service", key, _MAX_LENGTH)
    return context


def remove_facts(context: Context) -> Context:
    """Return the context without our facts in its baggage; the same object if there were none."""
    entries = baggage.get_all(context)
    for key in entries.keys() & FACT_KEYS if entries else ():
        context = baggage.remove_baggage(key, context)
    return context


def read_facts(context: Context) -> Attributes:
    """Return the facts that arrived, that we asked for and that can be ours.

    A task has an id and a name, or it is ignored.
    """
    entries = baggage.get_all(context)
    if not entries:
        return {}
    facts = {key: str(entries[key]) for key in entries.keys() & _allowed_keys if _is_fact(key, entries[key])}
    if not facts.keys() >= {A.TASK_ID, A.TASK_NAME}:
        facts = {key: value for key, value in facts.items() if key not in GROUPS["task"]}
    return dict(facts)


def _is_fact(key: str, value: object) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_LENGTH or not value.isprintable():
        return False
    values = _received_values.setdefault(key, set())
    if key in _UNBOUNDED or value in values:
        return True
    if len(values) >= _MAX_VALUES:
        say_once(f"arrived:{key}", _TOO_MANY, _MAX_VALUES, key)
        return False
    values.add(value)
    return True


_TOO_MANY = (
    "more than %d different values of %s came as baggage, further ones are ignored: let only services of your own send "
    "it, e.g. remove the baggage header of requests from outside"
)
