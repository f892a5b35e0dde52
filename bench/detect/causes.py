"""Causes of a burn, each in a service of its own: what must be named for it, or that nothing can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from bench.detect.tasks import FAILS, PROVIDER, USUAL, Mix, Service, Values, keep_value
from bench.detect.world import Rate, keep_rate, step_rates

ONSET = 75.0  # nominal minutes
WORSE = 0.4  # part of the tasks that is bad with what is to blame


@dataclass(frozen=True)
class Cause:
    """A service in which something goes wrong.

    Attributes:
        service: Its tasks.
        culprits: `variable value` or `sick name`, any of which is a right answer; none if nothing can be named.
        words: Outcomes that are right if nothing can be named.
        is_standing: True if the culprit neither moves nor grows, which takes more evidence.
    """

    service: Service
    culprits: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    is_standing: bool = False

    @property
    def name(self) -> str:
        """The name of the case."""
        return self.service.name


def list_causes() -> Iterator[Cause]:
    """Yield the causes that need no long history."""
    half = {"model": _share_value("model", step_rates((ONSET, 0.5)), "gpt-x")}
    repointed = Service("model repointed for half of the calls", half, _fail_with("model-2"))
    yield _blame(repointed, "model model-2")
    tenth = {"model": _share_value("model", step_rates((ONSET, 0.1)), "gpt-x")}
    yield _blame(Service("model repointed for a tenth", tenth, _fail_with("model-2", 0.8)), "model model-2")
    hotfix = {"prompt": _share_value("prompt", step_rates((ONSET, 1)), "support", "answer")}
    yield _blame(Service("prompt hot-fixed for all", hotfix, _fail_with("prompt-2", 0.3)), "prompt prompt-2")
    index = {"index": _share_value("index", step_rates((ONSET, 0.5)), "docs")}
    yield _blame(Service("index rebuilt on half of the replicas", index, _fail_with("index-2")), "index index-2")
    drift = {
        "tools": replace(_share_value("tools", step_rates((ONSET, 0.5)), "support"), drawn_with="drift"),
        "tool": replace(
            _share_value("tool", step_rates((ONSET, 0.5)), "lookup"), drawn_with="drift", used=keep_rate(0.6)
        ),
    }
    yield _blame(Service("tool schema drift on half", drift, _fail_with("tool-2", 0.7)), "tool tool-2", "tools tools-2")
    judge = {"judge": _share_value("judge", step_rates((ONSET, 1)), "helpful")}
    ruler = Service("judge reconfigured", judge, judged=keep_rate(1), misjudged=_fail_with("judge-2", 0.5))
    yield _blame(ruler, "judge judge-2")
    fallback = {"model": _share_value("model", step_rates((0, 0.05), (ONSET, 0.6)), "gpt-x")}
    yield _blame(Service("fallback route that grows", fallback, _fail_with("model-2", since=0)), "model model-2")
    arms = {"prompt": _share_value("prompt", keep_rate(0.5), "support", "answer")}
    rotten = _blame(Service("A/B arm that rots", arms, _fail_with("prompt-2")), "prompt prompt-2")
    yield replace(rotten, is_standing=True)
    canary = {"model": _share_value("model", step_rates((ONSET - 30, 0.02), (ONSET, 0.6)), "gpt-x")}
    yield _blame(Service("canary of 2 %, bad, let loose", canary, _fail_with("model-2", since=0)), "model model-2")
    small = {"model": _share_value("model", step_rates((ONSET, 0.02)), "gpt-x")}
    yield Cause(Service("canary of 2 %, bad, that stays", small, _fail_with("model-2")), words=frozenset({"no burn"}))
    together = {**half, "prompt": _share_value("prompt", step_rates((ONSET, 0.5)), "support", "answer")}
    tied = {variable: replace(mix, drawn_with="both") for variable, mix in together.items()}
    yield Cause(Service("two moves together", tied, _fail_with("model-2")), words=frozenset({"tie"}))
    yield _blame(Service("two moves, other tasks", together, _fail_with("model-2")), "model model-2")
    earlier = {**half, "prompt": _share_value("prompt", step_rates((ONSET - 20, 1)), "support", "answer")}
    yield _blame(Service("a harmless move before", earlier, _fail_with("model-2")), "model model-2")
    rendered = Mix(
        ("report", "nightly"),
        lambda at: {"run-1" if at < ONSET - 30 else "run-2": 1.0},
        used=step_rates((5, 0.3), (20, 0), (ONSET - 10, 0.3), (ONSET + 5, 0)),
    )
    yield _blame(Service("cron prompts", {**half, "prompt@cron": rendered}, _fail_with("model-2")), "model model-2")
    outage = replace(PROVIDER, fails=lambda at, _: 0.4 if at >= ONSET else FAILS)
    yield _blame(Service("outage, nothing moved", surfaces=(outage,)), "sick openai")
    of_first = replace(
        PROVIDER, fails=lambda at, values: 0.6 if at >= ONSET and values["model"] == "model-1" else FAILS
    )
    away = {"model": _share_value("model", step_rates((0, 0.05), (ONSET, 0.6)), "gpt-x")}
    yield _blame(Service("outage, good fallback grows", away, surfaces=(of_first,)), "sick openai", "model model-1")
    yield Cause(
        Service("outage of what is not observed", bad=lambda at, _: 0.3 if at >= ONSET else USUAL),
        words=frozenset({"nothing moved"}),
    )
    switched = {"model": _share_value("model", step_rates((ONSET, 1)), "gpt-x")}
    rare = Service("three tasks an hour", switched, _fail_with("model-2", 0.6), tasks=keep_rate(0.05))
    yield Cause(rare, words=frozenset({"no burn", "cannot tell"}))
    mute = replace(
        repointed,
        name="model repointed, the judge is silent",
        mixes={**half, "judge": keep_value("judge-1", "helpful")},
        judged=step_rates((0, 1), (ONSET, 0)),
    )
    yield _blame(mute, "model model-2")
    yield _blame(replace(repointed, name="two collectors", replicas=2), "model model-2")
    restarts = (ONSET + 2, ONSET + 12)
    yield _blame(replace(repointed, name="two collectors, restarts", replicas=2, restarts=restarts), "model model-2")


def _share_value(variable: str, share: Rate, *scope: str) -> Mix:
    """Return a mix in which the second value has a share, once that is above 0."""

    def list_shares(minute: float) -> Mapping[str, float]:
        new = share(minute)
        shares = {f"{variable}-2": new, f"{variable}-1": 1 - new}
        return {value: part for value, part in shares.items() if part}

    return Mix(scope, list_shares)


def _fail_with(value: str, part: float = WORSE, since: float = ONSET) -> Callable[[float, Values], float]:
    """Return the chance that a task is bad: higher with a value, from a minute on."""

    def choose_part(minute: float, values: Values) -> float:
        return part if minute >= since and value in values.values() else USUAL

    return choose_part


def _blame(service: Service, *culprits: str) -> Cause:
    return Cause(service, frozenset(culprits))
