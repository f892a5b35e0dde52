"""What `otel-agentops triage` says about recorded incidents, word for word, from one real Prometheus."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from triage_stories import AT, tell_stories, write_days
from typer.testing import CliRunner

import stack
from otel_agentops import slo
from otel_agentops.cli import _build_app
from otel_agentops.slo import prometheus as rules

EXPECTED = Path(__file__).parent / "expected"
NAMES = sorted(path.stem for path in EXPECTED.glob("*.txt"))
STORIES = tell_stories()
TO = ("--to", "2026-11-12T03:30Z")
EXIT_CODES = {
    "just_started": 3,
    "nothing_moved": 3,
    "too_few": 3,
    "two_at_once": 3,
}


@pytest.fixture(scope="module")
def url(prometheus: Path, promtool: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that remembers all stories, and has the alerts of two promises."""
    directory = tmp_path_factory.mktemp("triage")
    for day in write_days(STORIES, directory):
        blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics", day, directory / "prometheus"]
        subprocess.run(blocks, check=True, capture_output=True)
    promises = [
        slo.Slo(name=name, sli=sli, objective=0.95, owner="support-team", runbook=f"https://runbooks.example/{name}")
        for name, sli in (("answers", "task_completed"), ("judged", "judge_score"))
    ]
    (directory / "rules.yaml").write_text(rules.render_rules(promises))
    forever = ["--storage.tsdb.retention.time=100y"]
    with stack.prometheus([], [directory / "rules.yaml"], directory, "1m", flags=forever) as server:
        yield server.url


def run(url: str, *arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(_build_app(), ["triage", "--prometheus", url, *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("name", STORIES)
def test_text_of_a_story_is_the_expected_one(name: str, url: str) -> None:
    code, text, note = run(url, "--service", name.replace("_", "-"), *TO)
    assert (text, note) == ((EXPECTED / f"{name}.txt").read_text(), "")
    assert code == EXIT_CODES.get(name, 0)


def test_burns_of_all_services_are_listed_worst_first(url: str) -> None:
    code, text, note = run(url, *TO)
    heads = [line.partition("/")[0] for line in text.splitlines() if line and not line.startswith(" ")]
    pages = ["provider-down", "arm-rotted", "model-repointed", "two-at-once", "schema-drifted", "replica-lost"]
    pages += ["prompt-hotfixed", "traffic-shifted"]
    assert heads == [*pages, "judge-reconfigured", "just-started", "nothing-moved", "too-few", "calm"]
    assert (code, note) == (3, "")
    assert run(url, "--environment", "staging", *TO)[0] == 4


def test_a_burn_that_is_over_is_found_from_a_time_on(url: str) -> None:
    over = ("--service", "model-repointed", "--to", "2026-11-12T03:50:00")
    assert run(url, *over)[0] == 4, "the rules recorded nothing for 20 minutes"
    code, text, _ = run(url, *over, "--from", "2026-11-12T02:00+00:00")
    assert code == 0
    expected = (EXPECTED / "model_repointed.txt").read_text()
    assert text == expected.replace("before 2.0 %", "before 2.1 %"), "that is since 02:00"


# -- other formats


@pytest.mark.parametrize("service", ["model-repointed", "judge-reconfigured", "traffic-shifted", "calm", "nobody"])
def test_json_is_valid_and_holds_the_text(service: str, url: str) -> None:
    schema = json.loads(run(url, "--schema")[1])
    jsonschema.Draft202012Validator.check_schema(schema)
    code, text, _ = run(url, "--service", service, "--json", *TO)
    report = json.loads(text)
    jsonschema.validate(report, schema)
    assert code == {"nobody": 4}.get(service, 0)
    assert report["outcome"] == {"nobody": "no_data", "calm": "calm"}.get(service, "named")
    lines = [line["text"] for finding in report["findings"] for line in finding["lines"]]
    lines += [line["text"] for line in report["calm_lines"]]
    shown = run(url, "--service", service, *TO)[1].splitlines()
    assert [line.removeprefix(" " * 2)[len(line) - len(line.lstrip()) and 14 :] for line in shown] == lines


def test_json_holds_the_facts_of_an_incident(url: str) -> None:
    (finding,) = json.loads(run(url, "--service", "model-repointed", "--json", *TO)[1])["findings"]
    assert finding["verdict"] == "it_is"
    incident = finding["incident"]
    assert incident["onset"] == {
        "step_s": 60,
        "at_s": AT - 43 * 60,
        "earliest_s": AT - 43 * 60,
        "latest_s": AT - 43 * 60,
        "events": 430,
        "bad": 129,
        "ratio_before": pytest.approx(0.02, abs=0.001),
    }
    move = {
        "variable": "model",
        "scope": "gpt-5.5",
        "value": "gpt-5.5-2026-10-21",
        "previous": "gpt-5.5-2026-03-05",
        "time_s": AT - 47 * 60,
    }
    assert incident["suspects"] == [
        {
            **{key: move[key] for key in ("variable", "scope", "value")},
            "word": "it_is",
            "odds": 1912,
            "explained": 0.96,
            "ratio": 0.41,
            "ratio_others": 0.022,
            "share": 0.64,
            "share_before": None,
            "move": move,
            "rarity": 100,
            "is_declared": None,
            "is_unlisted": True,
            "is_tied": False,
        }
    ]


class Page(HTMLParser):
    """The texts of a page by the tag that they are in; `addresses` is what it would load or link to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_endtag(self, tag: str) -> None:
        while self.tags and self.tags.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.tags and data.strip():
            self.texts.setdefault(self.tags[-1], []).append(data)


def test_page_opens_offline_and_holds_the_text(url: str, tmp_path: Path) -> None:
    out = tmp_path / "triage.html"
    code, text, note = run(url, "--service", "arm-rotted", "--html", out, *TO)
    assert (code, note) == (0, "")
    page = Page(out.read_text())
    assert page.addresses == [] and "@import" not in out.read_text() and "url(" not in out.read_text()
    assert page.texts["h1"] == ["Triage at 2026-11-12 03:30 UTC"]
    head, *lines = text.splitlines()
    assert page.texts["h2"] == [head]
    labels = [label or "" for label in page.texts["dt"]]
    assert [f"  {label:14}{line}" for label, line in zip(labels, page.texts["dd"], strict=True)] == lines
    assert page.texts["td"] == [
        *("prompt", "support/greeting", "f07a6612de90b845", "over 1,000,000 : 1", "100 %", "58 %", "2.0 %", "50 %"),
        *("no", "index", "help-pages", "2026-11-12", "0.2 : 1", "0 %", "29 %", "31 %", "40 %", "2026-11-12 02:10 UTC"),
    ]
    assert run(url, "--html", out, *TO)[2] == "", "its own page is written anew"
    out.write_text("mine")
    assert run(url, "--html", out, *TO)[::2] == (
        2,
        f"otel-agentops triage: {out}: not written by otel-agentops, and left as it is; "
        "move it away, choose another place, or overwrite it with --force, which keeps a backup\n",
    )
    assert out.read_text() == "mine"


# -- what goes wrong


def test_unknown_service_is_told_which_ones_there_are(url: str) -> None:
    code, text, note = run(url, "--service", "modle-repointed", *TO)
    assert (code, text) == (4, "")
    assert note == (
        f"otel-agentops triage: {url}: no events of modle-repointed were counted within a day; it knows arm-rotted, "
        "calm, judge-reconfigured, just-started, model-repointed, nothing-moved, prompt-hotfixed, provider-down, "
        "replica-lost, schema-drifted, too-few, traffic-shifted, two-at-once\n"
    )
    code, _, note = run(url, "--to", "2020-01-01T00:00Z")
    assert (code, note) == (
        4,
        f"otel-agentops triage: {url}: no events of any service were counted within a day; load the rules of "
        "`otel-agentops slo generate` there, and let it scrape the collector\n",
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--to", "yesterday"), "'yesterday' is no time; write for instance 2026-11-12T03:30Z, or 2h for two"),
        (("--from", "5m", "--to", "10m"), "is not before the time to look at"),
        (("--severity", "page"), "No such option: --severity"),
    ],
)
def test_wrong_options_exit_with_two(arguments: tuple[str, ...], sentence: str) -> None:
    code, text, note = run("http://127.0.0.1:9", *arguments)
    assert (code, text) == (2, "")
    assert sentence in " ".join(note.replace("│", " ").split())


def test_prometheus_that_is_not_there_exits_with_two() -> None:
    code, text, note = run("http://127.0.0.1:9")
    assert (code, text) == (2, "")
    assert note.startswith("otel-agentops triage: http://127.0.0.1:9: cannot be asked: ")


def test_documentation_quotes_what_is_said() -> None:
    text = (stack.ROOT / "docs" / "triage.md").read_text()
    quoted = [block.removeprefix("```\n") for block in text.split("\n\n") if "/prod · " in block]
    expected = {path.read_text() for path in EXPECTED.glob("*.txt")}
    assert len(quoted) == 9
    assert {block.removesuffix("```") for block in quoted} <= expected
