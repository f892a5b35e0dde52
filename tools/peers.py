"""Nothing that passes without us may fail with us: the clients' own unit tests, with and without an instrumentation.

    python tools/peers.py [--client NAME] [--quick] [--strict] [--instrumentation official|openinference|…]

The tests come from the client's source distribution, in the version that uv.lock names, and run in an environment of
their own (.venvs/peers/<client>, the groups `suite` and `suite-<client>`). Both runs have global providers; the second
has an instrumentation. Only what passed in the first run is run in the second. Which clients carry tests, and which of
those are run, is in suites.py.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import toolchain
from peers_plugin import INSTRUMENTATIONS, makers
from suites import BREAKS_OPENTELEMETRY, OF_ITS_SPAN, SOURCES

ROOT = Path(__file__).resolve().parents[1]


class Results(NamedTuple):
    """One run. tests: id to outcome. why: id to the end of the traceback. scopes: number of spans by their maker.

    patched: where the client was patched by us.
    """

    tests: dict[str, str]
    why: dict[str, str]
    scopes: Counter[str]
    swallowed: list[str]
    patched: set[str]

    @property
    def passed(self) -> set[str]:
        """The tests that passed."""
        return {test for test, outcome in self.tests.items() if outcome == "passed"}


class Comparison(NamedTuple):
    """What an instrumentation changed. broke: passes without it, fails with it, also when its file is run again alone.

    of_its_span: those of them that are known and listed above. flaky: the same, but not when run again.
    unseen: the instrumentation made or enriched no span at all, though there are tests that ask a model.
    """

    without: Results
    observed: Results
    broke: dict[str, str]
    of_its_span: list[str]
    flaky: list[str]
    unseen: bool

    @property
    def harmless(self) -> bool:
        """Whether the instrumentation worked and broke nothing."""
        return not (self.broke or self.unseen or self.observed.swallowed)


class Suite:
    """The unit tests of one client, unpacked. `python`: of the environment to run them in."""

    def __init__(self, client: str, home: Path, processes: int) -> None:
        self.client = client
        self.home = home
        self.processes = processes
        self.python = _environment(client) / "bin" / "python"

    def run(
        self,
        instrumentation: str,
        files: Sequence[str],
        only: Sequence[str] = (),
        *,
        strict: bool = False,
        alone: bool = False,
    ) -> Results:
        """Run tests. files: arguments of pytest. only: ids, all where empty. alone: in one process."""
        with tempfile.TemporaryDirectory() as work, _no_api() as api:
            report, wanted, log = (Path(work) / name for name in ("report", "only", "log"))
            report.touch()
            wanted.write_text("\n".join(only))
            variables = {
                **_neutral(os.environ),
                "PEERS_CLIENT": self.client,
                "PEERS_INSTRUMENTATION": instrumentation,
                "PEERS_REPORT": str(report),
                "PEERS_ONLY": str(wanted) if only else "",
                "TEST_API_BASE_URL": os.environ.get("TEST_API_BASE_URL", api),
                "OTEL_AGENTOPS_STRICT": "1" if strict else "",
                "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("src", "tools")),
            }
            processes = 0 if alone else self.processes
            options = ["-p", "peers_plugin", "-p", "no:cacheprovider", "-n", str(processes), "--durations=0", "-qq"]
            more = ["--inline-snapshot=disable", "--continue-on-collection-errors"]
            command = [str(self.python), "-m", "pytest", *options, *more, *files]
            self._watch(command, variables, log, report, f"{self.client} {_with(instrumentation)}")
            return _results(report, log)

    def _watch(self, command: list[str], variables: dict[str, str], log: Path, report: Path, what: str) -> None:
        with log.open("w") as output, toolchain.Progress(what) as progress:
            process = subprocess.Popen(command, cwd=self.home, env=variables, stdout=output, stderr=subprocess.STDOUT)
            try:
                while process.poll() is None:
                    progress.tick(_so_far(report))
            finally:
                process.kill()


def compare(suite: Suite, instrumentation: str, *, quick: bool = False, strict: bool = False) -> Comparison:
    """Run the tests without and with, and what broke once more."""
    files = SOURCES[suite.client].quick if quick else _all(suite.client)
    without = suite.run("none", files)
    observed = suite.run(instrumentation, files, sorted(without.passed), strict=strict)
    suspects = without.passed - observed.passed
    again = _again(suite, instrumentation, suspects, strict=strict) & suspects if suspects else set()
    of_its_span = OF_ITS_SPAN.get(suite.client, set()) if instrumentation == "ours" else set()
    known = {test for test in again if test.partition("[")[0] in of_its_span}
    return Comparison(
        without,
        observed,
        {test: observed.why.get(test, "the test did not run to its end") for test in sorted(again - known)},
        sorted(known),
        sorted(suspects - again),
        idle(suite.client, instrumentation, without, observed),
    )


def idle(client: str, instrumentation: str, without: Results, observed: Results) -> bool:
    """Whether an instrumentation left no trace of itself: neither a span nor an attribute on another's.

    Where no test asks a model, that the client was patched is trace enough.
    """
    traces = observed.patched if SOURCES[client].asks_no_model else observed.scopes.keys() - without.scopes.keys()
    return instrumentation != "none" and not traces


def _again(suite: Suite, instrumentation: str, suspects: set[str], *, strict: bool) -> set[str]:
    """Run the files of the suspects in one process, without and with: what differs there as well has one cause."""
    files = sorted({test.partition("::")[0] for test in suspects})
    without = suite.run("none", files, alone=True)
    observed = suite.run(instrumentation, files, sorted(without.passed), strict=strict, alone=True)
    return without.passed - observed.passed


# -- where the tests come from


def suite(client: str, processes: int | None = None) -> Suite:
    """The tests of the locked version of a client, fetched where they are not in the cache. Raises UnavailableError."""
    uv = ROOT / ".tools" / "bin" / "uv"
    groups = ["--no-default-groups", "--group", "suite", "--group", f"suite-{client.replace('_', '-')}"]
    place = {"UV_PROJECT_ENVIRONMENT": str(_environment(client))}
    sync = [str(uv), "sync", "--frozen", *groups, "--python", sys.executable]
    toolchain.run(f"setting up {_environment(client)}", sync, ROOT, place)
    version, digest = _locked(client)
    home = toolchain.cache() / "suites" / f"{client}-{version}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with toolchain.alone(home.with_name(f"{home.name}.lock"), f"the tests of {client}"):
        if not home.exists():
            _fetch(client, version, digest, home)
    return Suite(client, home, os.cpu_count() or 1 if processes is None else processes)


def _environment(client: str) -> Path:
    return ROOT / ".venvs" / "peers" / client


def _locked(client: str) -> tuple[str, str]:
    """Version and sha256 of the source distribution that uv.lock names."""
    entry = rf'^name = "{SOURCES[client].distribution}"\nversion = "(.+)"\n(?:.+\n)*?sdist = .* hash = "(.+?)"'
    found = re.search(entry, (ROOT / "uv.lock").read_text(), re.MULTILINE)
    if found is None:
        raise toolchain.UnavailableError(f"uv.lock names no source distribution of {client}")
    return found[1], found[2]


def _fetch(client: str, version: str, digest: str, home: Path) -> None:
    source = SOURCES[client]
    with tempfile.TemporaryDirectory(prefix=f".{home.name}.", dir=home.parent) as work:
        wanted, unpacked = Path(work) / "wanted.txt", Path(work) / "unpacked"
        wanted.write_text(f"{source.distribution}=={version} --hash={digest}\n")
        pip = [str(ROOT / ".tools" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "download"]
        options = ["--no-deps", "--no-binary", source.distribution, "--require-hashes", "-r", str(wanted), "-d", work]
        toolchain.run(f"fetching the source distribution of {client} {version}", [*pip, *options], Path(work))
        with tarfile.open(next(Path(work).glob("*.tar.gz"))) as archive:
            archive.extractall(unpacked, filter="data")
        (found,) = unpacked.iterdir()
        for package in source.packages:
            (found / package / "__init__.py").touch()
        found.rename(home)


def _all(client: str) -> tuple[str, ...]:
    served = "TEST_API_BASE_URL" in os.environ
    return tuple(argument for argument in SOURCES[client].tests if not (served and "api_resources" in argument))


# -- one run


def _neutral(environment: Any) -> dict[str, str]:
    """The environment without what would change a client, a provider or us."""
    ours = ("OTEL_", "AZURE_", "AWS_", "GOOGLE_", "HF_", "PYTEST_", "COV_", *(f"{name.upper()}_" for name in SOURCES))
    return {name: value for name, value in environment.items() if not name.startswith(ours)}


class _NoApi(BaseHTTPRequestHandler):
    """Says at once that there is no API, so that tests which need one fail soon, and do so in both runs."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(501)
        self.send_header("x-should-retry", "false")
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Nothing: thousands of tests ask."""


@contextmanager
def _no_api() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _NoApi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _lines(report: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in report.read_text().splitlines() if line.endswith("}")]


def _so_far(report: Path) -> str:
    counts = Counter(line["outcome"] for line in _lines(report) if "test" in line)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def _results(report: Path, log: Path) -> Results:
    results = Results({}, {}, Counter(), [], set())
    for line in _lines(report):
        if "test" not in line:
            results.scopes.update(line["scopes"])
            results.patched.update(line["patched"])
            results.swallowed.extend(said for said in line["swallowed"] if BREAKS_OPENTELEMETRY not in said)
        elif results.tests.get(line["test"]) != "failed":  # a test that fails may pass its teardown
            results.tests[line["test"]] = line["outcome"]
            results.why[line["test"]] = line["why"]
    if not results.tests:
        raise toolchain.UnavailableError(f"no test ran: {' / '.join(log.read_text().splitlines()[-12:])}")
    return results


# -- command line


def _with(instrumentation: str) -> str:
    return "without" if instrumentation == "none" else f"with {instrumentation}"


def show(client: str, instrumentation: str, found: Comparison) -> None:
    """Print the numbers, what broke and why."""
    without = Counter(found.without.tests.values())
    print(f"{client} {_locked(client)[0]}, {_with(instrumentation)}:")
    rows = (
        ("passed without", without["passed"]),
        ("passed both", len(found.without.passed & found.observed.passed)),
        ("broke", len(found.broke)),
        ("know of its own span only", len(found.of_its_span)),
        ("flaky", len(found.flaky)),
        ("failed without", without["failed"]),
        ("skipped without", without["skipped"]),
        ("places patched by us", len(found.observed.patched)),
        *((f"spans: {scope}"[:60], number) for scope, number in found.observed.scopes.most_common()),
    )
    for what, number in rows:
        print(f"  {number:>7} {what}")
    for test, why in found.broke.items():
        print(f"\nbroke: {test}\n{why}")
    for sentence in (*(f"flaky: {test}" for test in found.flaky), *sorted(set(found.observed.swallowed))):
        print(sentence)
    if found.unseen:
        print(f"{instrumentation} made no span at all: it was not at work, and the comparison says nothing")


def _takes_part(client: str, asked: argparse.Namespace) -> bool:
    return bool(makers(client, asked.instrumentation) and (SOURCES[client].quick or not asked.quick))


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; 1 where something broke."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--client", choices=[*SOURCES], action="append", help="default: all")
    parser.add_argument("--quick", action="store_true", help="what `make test` runs: requests, responses, streams")
    parser.add_argument("--instrumentation", default="ours", choices=[*INSTRUMENTATIONS])
    parser.add_argument("--strict", action="store_true", help="failures of our telemetry are raised, not swallowed")
    asked = parser.parse_args(arguments)
    harmless = True
    for client in asked.client or [name for name in SOURCES if _takes_part(name, asked)]:
        found = compare(suite(client), asked.instrumentation, quick=asked.quick, strict=asked.strict)
        show(client, asked.instrumentation, found)
        harmless &= found.harmless
    return 0 if harmless else 1


if __name__ == "__main__":
    sys.exit(main())
