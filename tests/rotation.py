"""Tests that run by rotation: a whole run takes a part of each group, another part every day, and lists both.

A test takes turns by its client (`_find_clients`), by the SDK that it is repeated for, or by
`@pytest.mark.rotation(group, member, parts)`: one of `parts` days runs the tests of a member. The day of the year
decides, or the number in $OTEL_AGENTOPS_ROTATION; `all` runs everything, and so do paths on the command line.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

VARIABLE = "OTEL_AGENTOPS_ROTATION"
TESTS = Path(__file__).parent
EVERY_DAY = {"openai", "anthropic"}
CLIENTS = {path.parent.name for path in TESTS.glob("clients/*/test_*_contract.py")} - EVERY_DAY
# Files that cost most beside the clients: of each group, a day runs a third.
COSTLY = {
    "the whole": ("accuracy/test_accuracy.py", "bench/test_bench_detect.py", "runtime/test_end_to_end.py"),
    "collector configs": ("collector/test_fragments.py", "collector/test_render.py", "collector/test_tags.py"),
    "processes": ("robustness/test_robust_process.py", "robustness/test_robust_install.py", "runtime/test_doctor.py"),
    "written rules": ("slo/test_slo_texts.py", "slo/test_slo_cli.py", "truth/test_truth_backfill.py"),
    "live rules": ("slo/test_slo_grafana_live.py", "triage/test_triage_live.py", "slo/test_slo_eval_sets.py"),
}  # fmt: skip
GROUPS = {name: group for group, names in COSTLY.items() for name in names}
# The tables that these hold together have a row for each client, and drive none.
OF_TABLES = {"test_support.py", "test_patches.py"}


class Rotation:
    """Plugin that deselects the members of a group whose turn it is not."""

    def __init__(self, config: pytest.Config) -> None:
        is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
        # The workers of pytest-xdist inherit the variable, so that all of them select the same tests.
        self.turn = os.environ.get(VARIABLE) or (str(time.localtime().tm_yday) if is_whole else "all")
        os.environ[VARIABLE] = self.turn
        self.ran: dict[str, list[str]] = {}
        self.left_out: dict[str, list[str]] = {}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self.turn == "all":
            return
        turns = {item: turn for item in items if (turn := find_turn(item))}
        for group, parts in sorted({(group, parts) for group, _, parts in turns.values()}):
            members = Counter(member for name, member, _ in turns.values() if name == group)
            days = deal_members(members, parts)
            self.ran[group] = days[int(self.turn) % parts]
            self.left_out[group] = [member for member in members if member not in self.ran[group]]
        deselected = {item for item, (group, member, _) in turns.items() if member in self.left_out[group]}
        items[:] = [item for item in items if item not in deselected]
        config.hook.pytest_deselected(items=[*deselected])

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["rotation"] = (self.ran, self.left_out)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        self.ran, self.left_out = getattr(node, "workeroutput", {}).get("rotation", (self.ran, self.left_out))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for group, ran in self.ran.items():
            terminalreporter.section(f"{group} by rotation ({VARIABLE}={self.turn})", "-")
            terminalreporter.line(f"ran: {', '.join(ran)}")
            terminalreporter.line(f"left out: {', '.join(self.left_out[group])}")
        if self.ran:
            terminalreporter.line(f"`make test {VARIABLE}=all` runs all of them")


def find_turn(item: pytest.Item) -> tuple[str, str, int] | None:
    """Return the group, the member and the number of days of a test, None if it runs every day."""
    path = item.path.relative_to(TESTS)
    folder, name = path.parts[0], path.as_posix()
    if name in GROUPS:
        return GROUPS[name], name, 3
    if mark := item.get_closest_marker("rotation"):
        group, member, parts = mark.args
        return group, member, parts
    if folder == "coexistence" and (ours := sorted(EVERY_DAY & {*re.split(r"[\W]+", item.nodeid)})):
        return "coexistence", ours[0], 2
    if folder in ("clients", "coexistence") and item.path.name not in OF_TABLES:
        client = next(_find_clients(item), None)
        return ("clients", client, 3) if client else None
    if folder == "robustness" and (callspec := getattr(item, "callspec", None)):
        # Each day has both SDKs and both kinds of client.
        days = {
            ("openai", "sync"): "sync openai and async anthropic",
            ("anthropic", "async"): "sync openai and async anthropic",
            ("openai", "async"): "async openai and sync anthropic",
            ("anthropic", "sync"): "async openai and sync anthropic",
        }
        member = days.get((callspec.params.get("sdk"), callspec.params.get("kind")))
        return ("robustness", member, 2) if member else None
    return None


def _find_clients(item: pytest.Item) -> Iterator[str]:
    """Yield the clients that the folder, the file and the parameters of a test name, if they take turns."""
    case = item.callspec.id if hasattr(item, "callspec") else ""
    words = [item.path.parent.name, item.path.stem.removeprefix("test_").partition("_")[0], *re.split(r"[\W]+", case)]
    return (word for word in words if word in CLIENTS)


def deal_members(members: Counter[str], parts: int) -> list[list[str]]:
    """Return the members of each day: those with the most tests first, each to the day that has the fewest."""
    days: list[list[str]] = [[] for _ in range(parts)]
    for member in sorted(members, key=lambda member: -members[member]):
        min(days, key=lambda day: sum(members[each] for each in day)).append(member)
    return days
