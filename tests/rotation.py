"""Tests that run by rotation: a whole run takes a part of each group and lists what it ran and what it left out.

A test takes turns by its client (`_find_clients`), by the SDK that it is repeated for, by its file (`COSTLY`), or by
`@pytest.mark.rotation(group, member, parts, seconds=1)`: one of `parts` turns runs the tests of a member.

The content of the checkout decides (`find_turn`): a run of the same commit runs the same tests on another day or
machine. $OTEL_AGENTOPS_ROTATION is another number, or `all` to run everything. Paths on the command line do so too.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

VARIABLE = "OTEL_AGENTOPS_ROTATION"
TESTS = Path(__file__).parent
EVERY_TURN = {"openai", "anthropic"}
# The costliest files beside the clients, and the seconds that each takes: a turn runs a tenth of them.
COSTLY = {
    "accuracy/test_accuracy.py": 122,
    "bench/test_bench.py": 29,
    "clients/anthropic/test_anthropic_native.py": 20,
    "collector/test_check.py": 36,
    "collector/test_fragments.py": 43,
    "collector/test_fragments_live.py": 43,
    "collector/test_kubernetes.py": 23,
    "collector/test_overlay_merge.py": 15,
    "collector/test_render.py": 20,
    "collector/test_shipped.py": 25,
    "collector/test_tags.py": 58,
    "collector/test_value_counts.py": 19,
    "lock/test_lock_live.py": 17,
    "recorder/commands/test_record_export.py": 15,
    "robustness/test_robust_install.py": 35,
    "robustness/test_robust_process.py": 30,
    "runtime/test_doctor.py": 20,
    "runtime/test_end_to_end.py": 30,
    "slo/test_slo_cli.py": 20,
    "slo/test_slo_grafana_live.py": 58,
    "slo/test_slo_links.py": 18,
    "slo/test_slo_openslo.py": 13,
    "slo/test_slo_texts.py": 20,
    "triage/test_triage_texts.py": 19,
    "truth/test_truth_backfill.py": 36,
}
# The size of a client's tests stands for the time that they take, for it is known before a test is imported. The
# contract takes as long as a file of 30 kB.
CLIENTS = {
    folder.name: 30_000 + sum(path.stat().st_size for path in folder.glob("*.py"))
    for folder in sorted({path.parent for path in TESTS.glob("clients/*/test_*_contract.py")})
    if folder.name not in EVERY_TURN
}
# Groups of fixed members: weights and number of turns.
FIXED: Mapping[str, tuple[Mapping[str, int], int]] = {"clients": (CLIENTS, 12), "costly files": (COSTLY, 10)}
# The tables that these hold together have a row for each client, and drive none.
OF_TABLES = {"test_support.py", "test_patches.py"}


class Rotation:
    """Plugin that deselects the members of a group whose turn it is not."""

    def __init__(self, config: pytest.Config) -> None:
        is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
        # The workers of pytest-xdist inherit the variable, so that all of them select the same tests.
        self.turn, self.source = os.environ.get(VARIABLE, ""), f"${VARIABLE}"
        if not self.turn:
            self.turn, self.source = find_turn() if is_whole else ("all", "paths on the command line")
        os.environ[VARIABLE] = self.turn
        self.ran: dict[str, list[str]] = {}
        self.left_out: dict[str, list[str]] = {}
        for group, (weights, parts) in FIXED.items() if self.turn != "all" else ():
            self._choose_members(group, weights, parts)

    def _choose_members(self, group: str, weights: Mapping[str, int], parts: int) -> None:
        self.ran[group] = deal_members(weights, parts)[int(self.turn) % parts]
        self.left_out[group] = [member for member in weights if member not in self.ran[group]]

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out files and clients before they are imported, and their SDKs with them."""
        if self.turn == "all" or not collection_path.is_relative_to(TESTS):
            return None
        name = collection_path.relative_to(TESTS).as_posix()
        is_left_out = name in self.left_out["costly files"] or (
            name.startswith("clients/") and name.removeprefix("clients/") in self.left_out["clients"]
        )
        return is_left_out or None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self.turn == "all":
            return
        turns = {item: turn for item in items if (turn := find_member(item))}
        for group, parts in sorted({(group, parts) for group, _, parts, _ in turns.values() if group not in FIXED}):
            weights = Counter[str]()
            for name, member, _, seconds in turns.values():
                weights[member] += seconds if name == group else 0
            self._choose_members(group, +weights, parts)
        deselected = {item for item, (group, member, *_) in turns.items() if member in self.left_out[group]}
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
            terminalreporter.line(f"{VARIABLE}={self.turn} is from {self.source}")
            terminalreporter.line(
                f"`make test {VARIABLE}={self.turn}` runs the same again, `{VARIABLE}=all` all of them"
            )


def find_turn() -> tuple[str, str]:
    """Return the number of a turn, from the content of the checkout, and where it is from."""
    git = functools.partial(subprocess.run, cwd=TESTS, capture_output=True, text=True)
    try:
        tree, changes = git(["git", "rev-parse", "HEAD^{tree}"]), git(["git", "status", "--porcelain"])
    except FileNotFoundError:
        return "0", "nothing: git is not installed"
    if tree.returncode:
        return "0", "nothing: the tests are in no git checkout"
    turn = str(int(tree.stdout[:8], 16) % 1000)
    return turn, "the tree of the last commit, without the changes since" if changes.stdout else "the committed tree"


def find_member(item: pytest.Item) -> tuple[str, str, int, int] | None:
    """Return the group, the member, the number of turns and the seconds of a test, None if it runs every turn."""
    path = item.path.relative_to(TESTS)
    folder, name = path.parts[0], path.as_posix()
    if name in COSTLY:
        return "costly files", name, FIXED["costly files"][1], 0
    if mark := item.get_closest_marker("rotation"):
        group, member, parts = mark.args
        return group, member, parts, mark.kwargs.get("seconds", 1)
    if folder == "coexistence" and (ours := sorted(EVERY_TURN & {*re.split(r"[\W]+", item.nodeid)})):
        return "coexistence", ours[0], 2, 1
    if folder in ("clients", "coexistence") and item.path.name not in OF_TABLES:
        client = next(_find_clients(item), None)
        return ("clients", client, FIXED["clients"][1], 0) if client else None
    if folder == "robustness" and (callspec := getattr(item, "callspec", None)):
        # Each turn has both SDKs and both kinds of client.
        pairs = {
            ("openai", "sync"): "sync openai and async anthropic",
            ("anthropic", "async"): "sync openai and async anthropic",
            ("openai", "async"): "async openai and sync anthropic",
            ("anthropic", "sync"): "async openai and sync anthropic",
        }
        member = pairs.get((callspec.params.get("sdk"), callspec.params.get("kind")))
        return ("robustness", member, 2, 1) if member else None
    return None


def _find_clients(item: pytest.Item) -> Iterator[str]:
    """Yield the clients that the folder, the file and the parameters of a test name, if they take turns."""
    case = item.callspec.id if hasattr(item, "callspec") else ""
    words = [item.path.parent.name, item.path.stem.removeprefix("test_").partition("_")[0], *re.split(r"[\W]+", case)]
    return (word for word in words if word in CLIENTS)


def scale_examples(count: int) -> int:
    """Return a third of the examples of a property, or all of them in a run of everything."""
    return count if os.environ[VARIABLE] == "all" else count // 3


def deal_members(weights: Mapping[str, int], parts: int) -> list[list[str]]:
    """Return the members of each turn: the heaviest first, each to the turn that has the least."""
    turns: list[list[str]] = [[] for _ in range(parts)]
    for member in sorted(weights, key=lambda member: -weights[member]):
        min(turns, key=lambda turn: sum(weights[each] for each in turn)).append(member)
    return turns
