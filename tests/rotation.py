"""Tests that run by rotation: a whole run takes a part of each group, another part every day, and lists both.

`@pytest.mark.rotation(group, member, parts)`: one of `parts` days runs the tests of a member. The day of the year
decides, or the number in $OTEL_AGENTOPS_ROTATION; `all` runs everything, and so do paths on the command line.
"""

from __future__ import annotations

import os
import time

import pytest

VARIABLE = "OTEL_AGENTOPS_ROTATION"


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
        rotating = {item: mark.args for item in items if (mark := item.get_closest_marker("rotation"))}
        for group, parts in sorted({(group, parts) for group, _, parts in rotating.values()}):
            members = list(dict.fromkeys(member for name, member, _ in rotating.values() if name == group))
            self.ran[group] = members[int(self.turn) % parts :: parts]
            self.left_out[group] = [member for member in members if member not in self.ran[group]]
        deselected = [item for item, (group, member, _) in rotating.items() if member in self.left_out[group]]
        items[:] = [item for item in items if item not in set(deselected)]
        config.hook.pytest_deselected(items=deselected)

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
            terminalreporter.line(f"left out, `make {group}` runs all: {', '.join(self.left_out[group])}")
