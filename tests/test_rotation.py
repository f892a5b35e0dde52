"""Turns come from the committed content, and every member of a group has one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import rotation


def test_turn_comes_from_the_committed_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "TESTS", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert rotation.find_turn() == ("0", "nothing: the tests are in no git checkout")
    git = ("git", "-c", "user.name=n", "-c", "user.email=e@example.com")
    subprocess.run([*git, "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "a").write_text("1\n")
    subprocess.run([*git, "add", "a"], cwd=tmp_path, check=True)
    turns = set()
    for message in ("first", "second"):  # commits of the same content
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", message], cwd=tmp_path, check=True)
        turns.add(rotation.find_turn())
    tree = "2ce1eef76631e82282e0f7f0cf9e6f3e9a4a0b1e"
    assert turns == {(str(int(tree[:8], 16) % 1000), "the committed tree")}
    (tmp_path / "a").write_text("2\n")
    assert rotation.find_turn()[1] == "the tree of the last commit, without the changes since"


@pytest.mark.parametrize("group", rotation.FIXED)
def test_every_member_has_one_turn(group: str) -> None:
    weights, parts = rotation.FIXED[group]
    turns = rotation.deal_members(weights, parts)
    assert len(turns) == parts and all(turns)
    assert sorted(member for turn in turns for member in turn) == sorted(weights)


def test_costly_files_exist() -> None:
    assert [name for name in rotation.COSTLY if not (rotation.TESTS / name).is_file()] == []
