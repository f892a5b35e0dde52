"""The clients' own unit tests, with and without an instrumentation: a test that passes without us must pass with us.

    make peers ARGS="[--client NAME] [--quick] [--part 1/3] [--strict] [--instrumentation official|openinference|…]"
    python tools/peers.py CLIENT …    in the environment of that client, which noxfile.py makes

The tests come from the client's source distribution, in the version that uv.lock names, or the file of the newest
versions that is kept for the client (ends.py); chromadb's come with its wheel. Both runs have global providers; the
second has an instrumentation, and runs the tests that passed in the first. suites.py lists the clients and their tests.
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, NamedTuple

import toolchain
from peers_plugin import INSTRUMENTATIONS, list_instrumentors
from suites import BREAKS_OPENTELEMETRY, OF_ITS_SPAN, SOURCES, find_kept_versions

ROOT = Path(__file__).resolve().parents[1]


class Results(NamedTuple):
    """The outcome of one run.

    Attributes:
        tests: Outcomes by test id.
        why: The ends of the tracebacks by test id.
        scopes: Numbers of spans and of events, by the scope that made them.
        swallowed: Failures of our telemetry that the guard swallowed, each with its test and traceback.
        patched: The places where we patched the client.
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
    """The difference that an instrumentation makes.

    Attributes:
        without: The run without it.
        observed: The run with it.
        broke: Tracebacks of tests that pass without it and fail with it, also when their file is run again alone.
        of_its_span: The tests of `suites.OF_ITS_SPAN` among them.
        flaky: Tests that failed with it once, and not when run again.
        unseen: True if the instrumentation made or enriched no span, though there are tests that call a model.
    """

    without: Results
    observed: Results
    broke: dict[str, str]
    of_its_span: list[str]
    flaky: list[str]
    unseen: bool

    @property
    def harmless(self) -> bool:
        """True if the instrumentation worked and broke nothing."""
        return not (self.broke or self.unseen or self.observed.swallowed)


class Suite:
    """The unpacked unit tests of one client, and the Python to run them with."""

    def __init__(
        self, client: str, home: Path, processes: int, python: str = sys.executable, part: str | None = None
    ) -> None:
        self.client = client
        self.part = part  # 2/3: the second of each three tests
        self.home = home
        self.processes = processes
        self.python = python

    def run(
        self,
        instrumentation: str,
        files: Sequence[str],
        only: Sequence[str] = (),
        *,
        strict: bool = False,
        alone: bool = False,
    ) -> Results:
        """Run tests.

        Args:
            instrumentation: A name in `INSTRUMENTATIONS`.
            files: Arguments of pytest.
            only: Ids of the tests to run; all if it is empty.
            strict: True to raise failures of our telemetry instead of logging them.
            alone: True to run them in one process.
        """
        with tempfile.TemporaryDirectory() as work, _serve_refusals() as api:
            report, wanted, log = (Path(work) / name for name in ("report", "only", "log"))
            report.touch()
            wanted.write_text("\n".join(only))
            variables = {
                **_filter_variables(os.environ),
                "PEERS_CLIENT": SOURCES[self.client].adapter or self.client,
                "PEERS_INSTRUMENTATION": instrumentation,
                "PEERS_REPORT": str(report),
                "PEERS_ONLY": str(wanted) if only else "",
                "PEERS_PART": "" if only or alone else self.part or "",
                "TEST_API_BASE_URL": os.environ.get("TEST_API_BASE_URL", api),
                "LANGSMITH_TEST_TRACKING": "false",  # openevals' tests then send no results to LangSmith
                "NO_DOCKER": "true",  # langgraph's and langchain's tests then need no database server
                "OTEL_AGENTOPS_STRICT": "1" if strict else "",
                "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("src", "tools")),
            }
            processes = 0 if alone else self.processes
            options = ["-p", "peers_plugin", "-p", "no:cacheprovider", "-n", str(processes), "--durations=0", "-qq"]
            more = ["--inline-snapshot=disable", "--continue-on-collection-errors"]
            command = [self.python, "-m", "pytest", *options, *more, *files]
            self._watch_process(command, variables, log, report, f"{self.client} {_name_run(instrumentation)}")
            return _read_results(report, log)

    def _watch_process(self, command: list[str], variables: dict[str, str], log: Path, report: Path, what: str) -> None:
        with log.open("w") as output, toolchain.Progress(what) as progress:
            process = subprocess.Popen(command, cwd=self.home, env=variables, stdout=output, stderr=subprocess.STDOUT)
            try:
                while process.poll() is None:
                    progress.tick(_count_outcomes(report))
            finally:
                process.kill()


def compare_runs(suite: Suite, instrumentation: str, *, quick: bool = False, strict: bool = False) -> Comparison:
    """Run the tests without and with an instrumentation, and those that broke once more."""
    files = SOURCES[suite.client].quick if quick else _list_tests(suite.client)
    without = suite.run("none", files)
    observed = suite.run(instrumentation, files, sorted(without.passed), strict=strict)
    suspects = without.passed - observed.passed
    again = _run_again(suite, instrumentation, suspects, strict=strict) & suspects if suspects else set()
    of_its_span = OF_ITS_SPAN.get(suite.client, set()) if instrumentation == "ours" else set()
    known = {test for test in again if test.partition("[")[0] in of_its_span}
    return Comparison(
        without,
        observed,
        {test: observed.why.get(test, "the test did not run to its end") for test in sorted(again - known)},
        sorted(known),
        sorted(suspects - again),
        is_idle(suite.client, instrumentation, without, observed),
    )


def is_idle(client: str, instrumentation: str, without: Results, observed: Results) -> bool:
    """Return True if an instrumentation made no span and wrote no attribute on another's.

    If no test calls a model, a patched client is enough.
    """
    traces = observed.patched if SOURCES[client].asks_no_model else observed.scopes.keys() - without.scopes.keys()
    return instrumentation != "none" and not traces


def _run_again(suite: Suite, instrumentation: str, suspects: set[str], *, strict: bool) -> set[str]:
    """Return the tests that break again if the files of the suspects run in one process."""
    files = sorted({test.partition("::")[0] for test in suspects})
    without = suite.run("none", files, alone=True)
    observed = suite.run(instrumentation, files, sorted(without.passed), strict=strict, alone=True)
    return without.passed - observed.passed


# -- where the tests come from


def load_suite(
    client: str, processes: int | None = None, python: str = sys.executable, part: str | None = None
) -> Suite:
    """Return the tests of the recorded version of a client, from the cache if it has them.

    Raises:
        UnavailableError: The tests cannot be downloaded.
    """
    version, digest = read_version(client)
    if SOURCES[client].is_installed:
        home = Path(str(distribution(SOURCES[client].distribution).locate_file("")))
    else:
        home = toolchain.cache() / "suites" / f"{client}-{version}"
        home.parent.mkdir(parents=True, exist_ok=True)
        with toolchain.alone(home.with_name(f"{home.name}.lock"), f"the tests of {client}"):
            if not home.exists():
                _download_tests(client, version, digest, home)
    return Suite(client, home, os.cpu_count() or 1 if processes is None else processes, python, part)


def read_version(client: str) -> tuple[str, str]:
    """Return the version of a client, and the sha256 of its source distribution if uv.lock has the client."""
    name = SOURCES[client].distribution
    kept = find_kept_versions(client)
    entry = rf'^name = "{name}"\nversion = "(.+)"\n(?:.+\n)*?sdist = .* hash = "(.+?)"'
    pattern, file = (rf"^{name}==(\S+)()", kept) if kept else (entry, ROOT / "uv.lock")
    if (version := re.search(pattern, file.read_text(), re.MULTILINE)) is None:
        raise toolchain.UnavailableError(f"{file.name} names no source distribution of {client}")
    return version[1], version[2]


def _download_tests(client: str, version: str, digest: str, home: Path) -> None:
    source = SOURCES[client]
    with tempfile.TemporaryDirectory(prefix=f".{home.name}.", dir=home.parent) as work:
        wanted, unpacked = Path(work) / "wanted.txt", Path(work) / "unpacked"
        wanted.write_text(f"{source.distribution}=={version}{digest and f' --hash={digest}'}\n")
        pip = [str(ROOT / ".tools" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "download"]
        options = ["--no-deps", "--no-binary", source.distribution, "-r", str(wanted), "-d", work]
        toolchain.run(f"fetching the source distribution of {client} {version}", [*pip, *options], Path(work))
        with tarfile.open(next(Path(work).glob("*.tar.gz"))) as archive:
            archive.extractall(unpacked, filter="data")
        (folder,) = unpacked.iterdir()
        for package in source.packages:
            (folder / package / "__init__.py").touch()
        for name, text in source.stand_ins:
            stand_in = folder / name
            stand_in.parent.mkdir(exist_ok=True)
            stand_in.write_text(text)
        folder.rename(home)


def _list_tests(client: str) -> tuple[str, ...]:
    has_api = "TEST_API_BASE_URL" in os.environ
    return tuple(argument for argument in SOURCES[client].tests if not (has_api and "api_resources" in argument))


# -- one run


def _filter_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that would change a client, a provider or us."""
    ours = ("OTEL_", "AZURE_", "AWS_", "GOOGLE_", "HF_", "PYTEST_", "COV_", *(f"{name.upper()}_" for name in SOURCES))
    return {name: value for name, value in environment.items() if not name.startswith(ours)}


class _Refusal(BaseHTTPRequestHandler):
    """An API that refuses every request at once, so that tests which need one fail soon, and do so in both runs."""

    protocol_version = "HTTP/1.1"

    def _refuse_request(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(501)
        self.send_header("x-should-retry", "false")
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _refuse_request  # noqa: N815  the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Log nothing: thousands of tests send requests."""


@contextmanager
def _serve_refusals() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _read_lines(report: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in report.read_text().splitlines() if line.endswith("}")]


def _count_outcomes(report: Path) -> str:
    counts = Counter(line["outcome"] for line in _read_lines(report) if "test" in line)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def _read_results(report: Path, log: Path) -> Results:
    results = Results({}, {}, Counter(), [], set())
    for line in _read_lines(report):
        if "swallowed" in line:
            if BREAKS_OPENTELEMETRY not in line["swallowed"]:
                results.swallowed.append(line["swallowed"])
        elif "test" not in line:
            results.scopes.update(line["scopes"])
            results.patched.update(line["patched"])
        elif results.tests.get(line["test"]) != "failed":  # a test that fails may pass its teardown
            results.tests[line["test"]] = line["outcome"]
            results.why[line["test"]] = line["why"]
    if not results.tests:
        raise toolchain.UnavailableError(f"no test ran: {' / '.join(log.read_text().splitlines()[-12:])}")
    return results


# -- command line


def _name_run(instrumentation: str) -> str:
    return "without" if instrumentation == "none" else f"with {instrumentation}"


def show_comparison(client: str, instrumentation: str, comparison: Comparison) -> None:
    """Print the numbers, and each test that broke with its reason."""
    without = Counter(comparison.without.tests.values())
    print(f"{client} {read_version(client)[0]}, {_name_run(instrumentation)}:")
    rows = (
        ("passed without", without["passed"]),
        ("passed both", len(comparison.without.passed & comparison.observed.passed)),
        ("broke", len(comparison.broke)),
        ("know of its own span only", len(comparison.of_its_span)),
        ("flaky", len(comparison.flaky)),
        ("failures swallowed by our guard", len(comparison.observed.swallowed)),
        ("failed without", without["failed"]),
        ("skipped without", without["skipped"]),
        ("places patched by us", len(comparison.observed.patched)),
        *((scope[:60], number) for scope, number in comparison.observed.scopes.most_common()),
    )
    for title, number in rows:
        print(f"  {number:>7} {title}")
    for test, why in comparison.broke.items():
        print(f"\nbroke: {test}\n{why}")
    flaky = (f"flaky: {test}" for test in comparison.flaky)
    for sentence in (*flaky, *sorted(set(comparison.observed.swallowed))):
        print(sentence)
    if comparison.unseen:
        print(f"{instrumentation} made no span at all: it was not at work, and the comparison says nothing")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("environment", choices=[*SOURCES], metavar="CLIENT", help="whose environment this is")
    parser.add_argument("--client", choices=[*SOURCES], action="append", help="the clients to compare; default: all")
    parser.add_argument("--quick", action="store_true", help="the tests of requests, responses, streams")
    parser.add_argument("--part", metavar="N/M", help="the Nth of each M tests: what `make test` runs in a day")
    parser.add_argument("--instrumentation", default="ours", choices=[*INSTRUMENTATIONS])
    parser.add_argument("--strict", action="store_true", help="failures of our telemetry are raised, not swallowed")
    return parser.parse_args(arguments)


def takes_part(arguments: Sequence[str]) -> bool:
    """Return True if the command line chooses the client and the client has such an instrumentation and such tests."""
    options = parse_arguments(arguments)
    client = options.environment
    is_chosen = client in (options.client or SOURCES) and bool(SOURCES[client].quick or not options.quick)
    return is_chosen and bool(list_instrumentors(SOURCES[client].adapter or client, options.instrumentation))


def main(arguments: Sequence[str]) -> int:
    """Compare and print; return 1 if a test broke."""
    options = parse_arguments(arguments)
    client = options.environment
    suite = load_suite(client, part=options.part)
    comparison = compare_runs(suite, options.instrumentation, quick=options.quick, strict=options.strict)
    show_comparison(client, options.instrumentation, comparison)
    return 0 if comparison.harmless else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
