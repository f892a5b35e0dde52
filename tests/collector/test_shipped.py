"""The overlay and the fragments come with the installed package, not with a checkout alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from otel_agentops.collector import shipped
from otel_agentops.collector.cli import app
from otel_agentops.written_files import add_hash, add_mark
from stack import OVERLAY, ROOT

FRAGMENTS = ROOT / "collector-config" / "fragments"


def uv() -> str:
    """The installer of `make setup`; with CI=true it has to be there."""
    found = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    if not Path(found).exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no uv: make setup")
    return found


def run(*command: str | Path, cwd: Path) -> str:
    clean = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in sorted(directory.rglob("*.yaml"))}


def mark(name: str, text: str) -> str:
    return add_hash(add_mark(Path(name).name, text, "collector fragments"))


SOURCES = {OVERLAY.name: OVERLAY.read_text()} | {f"fragments/{name}": text for name, text in files(FRAGMENTS).items()}
SHIPPED = {name: mark(name, text) for name, text in SOURCES.items()}


def test_wheel_contains_the_files_and_the_command(tmp_path: Path) -> None:
    run(uv(), "build", "--wheel", "--out-dir", tmp_path, ROOT, cwd=tmp_path)
    run(uv(), "venv", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    (wheel,) = tmp_path.glob("*.whl")
    run(uv(), "pip", "install", "--python", python, f"otel-agentops[cli] @ {wheel.as_uri()}", cwd=tmp_path)
    command = [tmp_path / "venv" / "bin" / "otel-agentops", "collector"]
    run(*command, "fragments", "--out", tmp_path / "out", cwd=tmp_path)
    assert files(tmp_path / "out") == SHIPPED
    shutil.copy(ROOT / "collector-config" / "examples" / "base.yaml", tmp_path / "mine.yaml")
    text = run(*command, "render", "mine.yaml", "--with", "tail-sampling", cwd=tmp_path)
    assert text.splitlines()[1:4] == ["#   mine.yaml", "#   otel-agentops.yaml", "#   tail-sampling.yaml"]
    where = run(python, "-c", "from otel_agentops.collector import shipped; print(shipped.find_home())", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path / "venv")


def test_checkout_uses_its_own_files(tmp_path: Path) -> None:
    assert shipped.find_home() == ROOT / "collector-config"
    assert shipped.find_home() / shipped.OVERLAY == OVERLAY
    CliRunner().invoke(app, ["fragments", "--out", str(tmp_path)])
    assert files(tmp_path) == SHIPPED


def test_fragments_overwrite_nothing_that_they_never_made(tmp_path: Path) -> None:
    mine = tmp_path / "fragments" / "guard.yaml"
    mine.parent.mkdir()
    mine.write_text("mine: 1\n")
    done = CliRunner().invoke(app, ["fragments", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert f"otel-agentops collector: {mine}: not written by otel-agentops, and left as it is" in done.output
    assert files(tmp_path) == {"fragments/guard.yaml": "mine: 1\n"}
    done = CliRunner().invoke(app, ["fragments", "--out", str(tmp_path), "--force"])
    assert (done.exit_code, files(tmp_path)) == (0, SHIPPED)
    assert Path(f"{mine}.bak").read_text() == "mine: 1\n"


def test_edited_fragment_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    CliRunner().invoke(app, ["fragments", "--out", str(tmp_path)])
    overlay = tmp_path / OVERLAY.name
    overlay.write_text(overlay.read_text() + "# mine\n")
    done = CliRunner().invoke(app, ["fragments", "--out", str(tmp_path)])
    assert f"{overlay} was edited; what stood there is {overlay}.bak" in done.output
    assert (done.exit_code, files(tmp_path)) == (0, SHIPPED)
    assert Path(f"{overlay}.bak").read_text() == SHIPPED[OVERLAY.name] + "# mine\n"


def test_fragments_of_before_the_mark_are_replaced(tmp_path: Path) -> None:
    (tmp_path / OVERLAY.name).write_text(OVERLAY.read_text())
    assert CliRunner().invoke(app, ["fragments", "--out", str(tmp_path)]).exit_code == 0
    assert files(tmp_path) == SHIPPED


def test_rendered_file_is_marked_and_overwrites_no_other(tmp_path: Path) -> None:
    base = ROOT / "collector-config" / "examples" / "base.yaml"
    for kind in ([], ["--kubernetes"]):
        out = tmp_path / "out.yaml"
        out.write_text("mine: 1\n")
        command = ["render", str(base), *kind, "--out", str(out)]
        assert CliRunner().invoke(app, command).exit_code == 1
        assert out.read_text() == "mine: 1\n"
        assert CliRunner().invoke(app, [*command, "--force"]).exit_code == 0
        assert out.read_text().startswith("# Generated by `otel-agentops collector render")
        assert CliRunner().invoke(app, command).exit_code == 0


def test_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    done = CliRunner().invoke(app, ["fragments", "--out", str(taken)])
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == (
        f"otel-agentops collector: {taken}/otel-agentops.yaml: cannot be written: Not a directory; choose another place"
    )


def test_fragments_command_lists_each_idea() -> None:
    listed = CliRunner().invoke(app, ["fragments"]).output.splitlines()
    assert [line.split()[0] for line in listed] == sorted(path.stem for path in FRAGMENTS.glob("*.yaml"))
    assert (
        listed[0]
        == f"{'content':28} Takes what people and models said off the spans and events before they are stored."
    )


def test_find_fragment_accepts_a_path(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("a: 1\n")
    assert [shipped.find_fragment(name) for name in ("guard", str(own))] == [FRAGMENTS / "guard.yaml", own]
