"""Without a Prometheus: the recorded counters of a run say what was moved in it and nothing else; and the edges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from demo_recorded import recorded

from demo import phases
from demo.embedded import BEFORE, RECENT, Embedded, Scrape, compare_scrapes, keep_counters, measure_growth
from demo.seen import BURN, JOINED, Look, Move, Promise, Spell, join_spells
from otel_agentops.semconv import attributes as A
from otel_agentops.semconv import metrics as M
from stack import Sample

PROMISES = (
    Promise("answers", "task_completed", 0.95),
    Promise("judged", "score_floor", 0.9),
    Promise("tools", "tool_success", 0.99),
)


def looks(scrapes: Sequence[Scrape]) -> list[Look]:
    """What `Embedded` sees scrape after scrape."""
    return [
        compare_scrapes(scrapes[: count + 1], PROMISES, since) for count, since in enumerate(_burning_since(scrapes))
    ]


def _burning_since(scrapes: Sequence[Scrape]) -> Iterable[dict[str, float]]:
    since: dict[str, float] = {}
    for count, scrape in enumerate(scrapes):
        yield dict(since)
        burning = [
            alert.get_label("slo")
            for alert in compare_scrapes(scrapes[: count + 1], PROMISES, since).alerts
            if alert.name == BURN
        ]
        since = {slo: since.get(slo, scrape.at) for slo in burning}


def test_embedded_run_matches_the_recorded_one() -> None:
    run = recorded()
    seen = looks(run.scrapes)
    moves = join_spells((move, one.at) for one in seen for move in one.moves)
    _, model, restored, tools, _ = (phase.move for phase in phases.build_script())
    assert [move for move, _ in moves] == [model, restored, tools]
    for (_, spell), at in zip(moves, run.moved.values(), strict=True):
        assert 0 < spell.start - at < 6

    blamed = join_spells((alert.move, one.at) for one in seen for alert in one.alerts if alert.name == JOINED)
    assert [move for move, _ in blamed] == [model, tools], "the restoration is not to blame for what was before it"
    burns = join_spells((alert.get_label("slo"), one.at) for one in seen for alert in one.alerts if alert.name == BURN)
    assert min(spell.start for _, spell in burns) > run.moved["model"]
    assert "tools" not in {slo for slo, spell in burns if spell.start < run.moved["tools"]}


def test_numbers_are_those_of_the_counters() -> None:
    last = looks(recorded().scrapes)[-1]
    by_name = {budget.promise.name: budget for budget in last.budgets}
    assert by_name["tools"].errors is not None and by_name["tools"].errors > 0.5
    assert by_name["tools"].burn == by_name["tools"].errors / (1 - 0.99)
    assert ("model", "gpt-5.5", "gpt-5.5-2026-03-05", 1.0) in last.values
    shares = [value.share for value in last.values if value.variable == "traffic"]
    assert len(shares) == 3 and abs(sum(shares) - 1) < 1e-9
    assert last.tasks is not None and 6 < last.tasks < 10


# -- the edges, by hand


def observed(at: float, **counts: float) -> Scrape:
    """How often each model was seen to answer."""
    labels = {value: frozenset({("gen_ai_request_model", "m"), ("gen_ai_response_model", value)}) for value in counts}
    return Scrape(at, {(M.METRICS[M.MODEL_OBSERVATIONS].prometheus, labels[value]): counts[value] for value in counts})


def named(history: Sequence[Scrape]) -> set[Move]:
    return set(compare_scrapes(history, (), {}).moves)


OLD, NEW = 0.0, RECENT + BEFORE  # before, and recently


def test_new_value_is_a_move() -> None:
    history = [observed(OLD, a=5), observed(OLD + 3, a=9), observed(NEW, a=9), observed(NEW + 1, a=9, b=1)]
    assert named(history) == {Move("model", "m", "b", "a")}


def test_value_that_comes_back_is_a_move() -> None:
    history = [
        observed(OLD, a=5, b=1),
        observed(OLD + 3, a=5, b=9),
        observed(NEW, a=5, b=9),
        observed(NEW + 1, a=6, b=9),
    ]
    assert named(history) == {Move("model", "m", "a", "b")}


def test_new_scope_has_not_moved() -> None:
    assert named([observed(OLD), observed(OLD + 3), observed(NEW), observed(NEW + 1, a=3)]) == set()


def test_first_scrape_has_no_moves() -> None:
    assert named([observed(OLD, a=5), observed(OLD + RECENT + BEFORE - 1, a=5, b=3)]) == set()


def test_reset_counter_grew_from_zero() -> None:
    history = [observed(0, a=100), observed(5, a=7)]
    assert list(measure_growth(history, 0, 5, M.METRICS[M.MODEL_OBSERVATIONS].prometheus).values()) == [7]


def failed(at: float, events: float, bad: float) -> Scrape:
    labels = frozenset({("otel_agentops_sli_name", "task_completed")})
    pair = ((M.SLI_EVENTS, events), (M.SLI_BAD, bad))
    return Scrape(at, {(M.METRICS[metric].prometheus, labels): value for metric, value in pair})


def test_burn_needs_enough_events() -> None:
    few, enough = ([failed(0, 0, 0), failed(5, events, events)] for events in (19, 20))
    assert [alert.name for alert in compare_scrapes(few, PROMISES, {}).alerts] == []
    assert [alert.name for alert in compare_scrapes(enough, PROMISES, {}).alerts] == [BURN]


def test_burn_older_than_the_move_is_not_joined_with_it() -> None:
    bad = failed(NEW, 100, 100).values
    history = [observed(OLD, a=5), observed(OLD + 3, a=9), Scrape(NEW, {**observed(NEW, a=9).values, **bad})]
    history.append(Scrape(NEW + 1, {**observed(NEW + 1, a=9, b=1).values, **failed(0, 200, 200).values}))
    assert {alert.name for alert in compare_scrapes(history, PROMISES, {}).alerts} >= {BURN, JOINED}
    assert JOINED not in {alert.name for alert in compare_scrapes(history, PROMISES, {"answers": NEW}).alerts}


# -- the source


def sample(name: str, value: float, exemplar: dict[str, str] | None = None, **labels: str) -> Sample:
    return Sample(name, labels, value, exemplar)


def test_only_needed_series_are_kept() -> None:
    wanted = sample(M.METRICS[M.SLI_EVENTS].prometheus, 3, otel_agentops_sli_name="tool_success")
    kept = keep_counters(1.0, [wanted, sample("otel_agentops_span_duration_seconds_bucket", 4, le="+Inf")])
    assert kept == Scrape(1.0, {(wanted.name, frozenset(wanted.labels.items())): 3})


def test_exemplars_are_found_by_labels_and_time() -> None:
    tool = A.GEN_AI_TOOL_NAME.replace(".", "_")
    source = Embedded(lambda: [sample("d_bucket", 1, {"trace_id": "t1"}, **{tool: "lookup"}), sample("d_count", 1)], ())
    at = source.take_look().at
    assert [one.trace_id for one in source.find_exemplars({tool: "lookup"}, at - 1, at + 1)] == ["t1"]
    assert source.find_exemplars({tool: "other"}, at - 1, at + 1) == []
    assert source.find_exemplars({tool: "lookup"}, at + 1, at + 2) == []
    assert source.list_seen(at - 1, at + 1) == ([], [])


def test_spells_join_consecutive_looks() -> None:
    assert join_spells([("x", 1.0), ("x", 2.0)]) == [("x", Spell(1.0, 2.0))]
