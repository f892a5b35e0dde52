"""Lines where nobody watches, with no control codes; a picture that fits the terminal where somebody does."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from demo import screen
from demo.phases import Phase, reverse_move
from demo.scene import Scene
from demo.seen import BURN, JOINED, Alert, Budget, Look, Move, Promise, Value

MODEL = Move("model", "gpt-x", "gpt-x-2", "gpt-x-1")
SCRIPT = (
    Phase("healthy", "nothing is moved", None, None, False, 5, 5),
    Phase("model", "the alias is repointed", None, MODEL, True, 3, 9),
    Phase("restored", "and back", None, reverse_move(MODEL), False, 3, 9),
)
ANSWERS = Promise("answers", "task_completed", 0.95)
VALUES = [Value("model", f"m{number}", f"m{number}-1", 1.0) for number in range(14)]


def burn(severity: str, slo: str = "answers") -> Alert:
    return Alert.from_labels({"alertname": BURN, "slo": slo, "severity": severity})


JOIN = Alert.from_labels({"alertname": JOINED, "slo": "answers", "severity": "page", **MODEL._asdict()})


def seen(at: float, errors: float | None, value: str, *alerts: Alert, moves: frozenset[Move] = frozenset()) -> Look:
    burning = None if errors is None else errors / 0.05
    budgets = [Budget(ANSWERS, errors, burning, 0.5)]
    return Look(at, 8.0, budgets, [Value("model", "gpt-x", value, 1.0), *VALUES], moves, frozenset(alerts))


def played() -> Scene:
    """Up to the alert."""
    scene = Scene(SCRIPT, "Prometheus", 100)
    scene.begin_phase(100)
    scene.add_look(seen(101, None, "gpt-x-1"))
    scene.add_look(seen(102, 0.01, "gpt-x-1"))
    scene.begin_phase(105)
    scene.add_look(seen(108, 0.7, "gpt-x-2", burn("ticket"), burn("ticket", "judged")))
    scene.add_look(seen(109, 0.8, "gpt-x-2", burn("ticket"), burn("page"), JOIN, moves=frozenset({MODEL})))
    return scene


def printed(show: type[screen.Lines] | type[screen.Picture], scene: Scene) -> str:
    out = io.StringIO()
    with show(Console(file=out)) as shown:
        shown.show_line("waiting")
        shown.show_scene(scene)
        shown.show_scene(scene)
    return out.getvalue()


def test_each_change_is_one_line() -> None:
    assert printed(screen.Lines, played()).splitlines() == [
        "waiting",
        "0:00 phase 1 of 3: nothing is moved",
        "0:05 phase 2 of 3: the alias is repointed (bad just now: answers 1%)",
        "0:08 FIRING: ErrorBudgetBurn of answers (ticket), judged (ticket)",
        "0:09 moved: model gpt-x: gpt-x-1 → gpt-x-2",
        "0:09 FIRING: BurnAfterMove of answers (page), model gpt-x: gpt-x-1 → gpt-x-2",
        "0:09 FIRING: ErrorBudgetBurn of answers (page)",
        "0:09 over: ErrorBudgetBurn of judged (ticket)",
    ]


def test_lines_are_for_everything_but_a_terminal() -> None:
    assert isinstance(screen.choose_screen(Console(file=io.StringIO())), screen.Lines)
    assert isinstance(screen.choose_screen(Console(file=io.StringIO(), force_terminal=True)), screen.Picture)
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert isinstance(screen.choose_screen(dumb), screen.Lines)


def drawn(scene: Scene, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(screen.draw_view(scene, width, height))
    return console.export_text().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (118, 44), (200, 60)])
def test_picture_fits_and_shows_what_moved(width: int, height: int) -> None:
    lines = drawn(played(), width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= min(width, screen.WIDTH)
    (row,) = (line for line in lines if "◀ moved" in line)
    assert "gpt-x-2" in row and "gpt-x-1" in row
    assert any("BurnAfterMove" in line for line in lines)
    assert any("16.0x" in line for line in lines)


def test_picture_keeps_its_height() -> None:
    """Nor before anything is known."""
    scene = Scene(SCRIPT, "Prometheus", 100)
    scene.begin_phase(100)
    assert drawn(scene, 118, 44)
    scene.add_look(seen(101, None, "gpt-x-1"))
    assert len(drawn(scene, 118, 44)) == len(drawn(played(), 118, 44))


def test_simultaneous_values_are_shares() -> None:
    scene = played()
    both = [Value("model", "gpt-x", "gpt-x-1", 0.25), Value("model", "gpt-x", "gpt-x-2", 0.75)]
    scene.add_look(scene.look._replace(values=both))
    assert any("gpt-x-2 75%, gpt-x-1 25%" in line for line in drawn(scene, 118, 44))


# -- when a phase is over


def test_quiet_phase_lasts_its_time() -> None:
    scene = Scene(SCRIPT, "Prometheus", 100)
    scene.begin_phase(100)
    assert not scene.is_over(104)
    assert scene.is_over(105)


def test_harmful_phase_waits_for_the_alert_for_a_limited_time() -> None:
    scene = Scene(SCRIPT, "Prometheus", 100)
    scene.begin_phase(100)
    scene.begin_phase(105)
    assert not scene.is_over(110)
    assert scene.is_over(114)
    assert played().is_over(110)


def test_restoration_waits_for_its_move_and_no_page() -> None:
    scene = played()
    scene.begin_phase(110)
    scene.add_look(seen(113, 0.5, "gpt-x-1", burn("page"), moves=frozenset({MODEL, reverse_move(MODEL)})))
    assert not scene.is_over(114)
    scene.add_look(seen(114, 0.0, "gpt-x-1", burn("ticket"), moves=frozenset({MODEL, reverse_move(MODEL)})))
    assert scene.is_over(114.5)
