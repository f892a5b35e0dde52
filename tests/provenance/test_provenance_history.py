"""`otel-agentops which` in real git checkouts: the commits that brought a hash, and how it ends without one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import openai
import pytest
from typer.testing import CliRunner

from otel_agentops._hashing import identity
from otel_agentops.cli import _build_app
from otel_agentops.clients.openai import Instrumentor as OpenAIInstrumentor
from otel_agentops.testing import capture
from otel_agentops.testing.fake_provider import FakeProvider

FIRST, SECOND = "You are a support agent. Be friendly.\n", "You are a support agent. Be terse.\n"
TOOL = {"type": "function", "function": {"name": "refund", "parameters": {"type": "object"}}}
OLD, NEW = identity([FIRST]), identity([SECOND])
SEARCHED = (
    "**/*.txt, **/*.md, **/*.prompt, **/*.tmpl, **/*.j2, **/*.jinja, **/*.jinja2, **/*.json, **/*.py, **/agentops.lock"
)
NO_KEY = (
    "otel-agentops which: OTEL_AGENTOPS_HASH_KEY is not set; set it if the service has one, for its hashes are keyed\n"
)


class Checkout:
    """A git repository with fixed authors and dates, a day later with each commit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.day = 0
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        environ = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
        for role in ("AUTHOR", "COMMITTER"):
            environ |= {f"GIT_{role}_NAME": "Anna Example", f"GIT_{role}_EMAIL": "anna@example.org"}
            environ[f"GIT_{role}_DATE"] = f"2026-11-{self.day + 1:02}T12:00:00+01:00"
        done = subprocess.run(
            ["git", "-C", self.path, *arguments], env=environ, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, subject: str, **texts: str | None) -> str:
        """Write files, `prompts__support_txt` for prompts/support.txt, or remove them; return the commit."""
        for name, text in texts.items():
            file = self.path / name.replace("__", "/").replace("_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink() if text is None else file.write_text(text)
        self.day += 1
        self.git("add", "--all")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    monkeypatch.delenv("OTEL_AGENTOPS_HASH_KEY", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return Checkout(tmp_path / "shop")


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(_build_app(), ["which", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def test_hash_of_a_span_leads_to_its_commits(checkout: Checkout, provider: FakeProvider) -> None:
    checkout.commit("Greet", prompts__support_txt=FIRST)
    second = checkout.commit("Be terse", prompts__support_txt=SECOND, tools_json=json.dumps([TOOL]))
    checkout.commit("Undo", prompts__support_txt=FIRST)
    again = checkout.commit("Be terse again", prompts__support_txt=SECOND)
    with capture(OpenAIInstrumentor()) as seen:
        client = openai.OpenAI(api_key="k", base_url=provider.openai_url)
        turns = [{"role": "system", "content": SECOND}, {"role": "user", "content": "hi"}]
        client.chat.completions.create(model="gpt-x", messages=turns, tools=[TOOL])  # type: ignore[call-overload]
    attributes = seen.spans[0]["attributes"]
    value, tool = attributes["otel_agentops.prompt.hash"], attributes["otel_agentops.tools.versions"][0]
    assert run(value, "--repo", checkout.path) == (0, f"""\
{NEW} (otel_agentops.prompt.hash)
  commit  {again} Be terse again
  author  Anna Example <anna@example.org>
  date    2026-11-05T12:00:00+01:00
  file    prompts/support.txt
  before  {OLD}
    @@ -1 +1 @@
    You are a support agent. Be [-friendly-]{{+terse+}}.

{NEW} (otel_agentops.prompt.hash)
  commit  {second} Be terse
  author  Anna Example <anna@example.org>
  date    2026-11-03T12:00:00+01:00
  file    prompts/support.txt
  before  {OLD}
    @@ -1 +1 @@
    You are a support agent. Be [-friendly-]{{+terse+}}.
""", "")  # fmt: skip
    assert run(tool, "--repo", checkout.path / "prompts") == (0, f"""\
{tool.partition("@")[2]} (otel_agentops.tool.hash)
  commit  {second} Be terse
  author  Anna Example <anna@example.org>
  date    2026-11-03T12:00:00+01:00
  file    tools.json, refund
  before  a new file
""", "")  # fmt: skip


def test_json_holds_the_same_as_the_text(checkout: Checkout) -> None:
    first = checkout.commit("Greet", support_txt=FIRST)
    second = checkout.commit("Be terse", support_txt=SECOND)
    code, out, err = run(NEW, "--repo", checkout.path, "--json")
    origin = {
        "commit": second,
        "subject": "Be terse",
        "author": "Anna Example <anna@example.org>",
        "date": "2026-11-03T12:00:00+01:00",
        "file": "support.txt",
        "part": "",
        "attribute": "otel_agentops.prompt.hash",
        "is_new_file": False,
        "value_before": OLD,
        "word_diff": "@@ -1 +1 @@\nYou are a support agent. Be [-friendly-]{+terse+}.\n",
    }
    searched = {"commits": 2, "files": 1, "versions": 2}
    assert (code, json.loads(out), err) == (0, {"value": NEW, "origins": [origin], "searched": searched}, "")
    code, out, _ = run(OLD, "--repo", checkout.path, "--json")
    assert (code, [one["commit"] for one in json.loads(out)["origins"]]) == (0, [first])


def test_lock_file_leads_to_the_approval(checkout: Checkout) -> None:
    entry = "    - {{value: '{}', owner: ben, date: 2026-11-01}}\n"
    lock = "version: 1\nprompt:\n  support/greet:\n" + entry.format(OLD)
    checkout.commit("Lock", agentops_lock=lock)
    approved = checkout.commit("Approve", agentops_lock=lock + entry.format(NEW))
    assert run(NEW, "--repo", checkout.path) == (0, f"""\
{NEW} (otel_agentops.prompt.hash)
  commit  {approved} Approve
  author  Anna Example <anna@example.org>
  date    2026-11-03T12:00:00+01:00
  file    agentops.lock, prompt of support/greet, approved by ben
    @@ -4 +4,2 @@ prompt:
        - {{value: '{OLD}', owner: ben, date: 2026-11-01}}
        {{+- {{value: '{NEW}', owner: ben, date: 2026-11-01}}+}}
""", "")  # fmt: skip


def test_uncommitted_edit_is_found(checkout: Checkout) -> None:
    checkout.commit("Greet", support_txt=FIRST)
    (checkout.path / "support.txt").write_text(SECOND)
    assert run(NEW, "--repo", checkout.path) == (0, f"""\
{NEW} (otel_agentops.prompt.hash)
  commit  not committed
  file    support.txt
  before  {OLD}
    @@ -1 +1 @@
    You are a support agent. Be [-friendly-]{{+terse+}}.
""", "")  # fmt: skip
    (checkout.path / "new.txt").write_text("A new prompt.")
    assert run(identity(["A new prompt."]), "--repo", checkout.path)[1].splitlines()[1:] == [
        "  commit  not committed", "  file    new.txt", "  before  a new file",
    ]  # fmt: skip


def test_renamed_file_and_merge_bring_no_hash_of_their_own(checkout: Checkout) -> None:
    first = checkout.commit("Greet", support_txt=FIRST)
    checkout.git("checkout", "-q", "-b", "side")
    side = checkout.commit("Be terse on a branch", support_txt=SECOND)
    checkout.git("checkout", "-q", "main")
    checkout.commit("Move", support_txt=None, greeting_txt=FIRST)
    checkout.git("merge", "-q", "--no-edit", "side")
    for value, commit in ((OLD, first), (NEW, side)):
        _, out, _ = run(value, "--repo", checkout.path, "--json")
        assert [one["commit"] for one in json.loads(out)["origins"]] == [commit]
    checkout.git("checkout", "-q", "-b", "other", first)
    checkout.commit("Be loud on a branch", support_txt="Be loud.\n")
    checkout.git("merge", "-q", "--no-edit", "-s", "ours", "main")
    (checkout.path / "support.txt").write_text("Be loud and terse.\n")
    checkout.git("add", "support.txt")
    checkout.git("commit", "-q", "--amend", "--no-edit")
    _, out, _ = run(identity(["Be loud and terse.\n"]), "--repo", checkout.path, "--json")
    assert [one["commit"] for one in json.loads(out)["origins"]] == [checkout.git("rev-parse", "HEAD")]


def test_unknown_hash_says_what_was_searched(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout.commit("Greet", support_txt=FIRST, notes_rst="A prompt elsewhere.")
    sentence = f"otel-agentops which: {checkout.path}: {'0' * 16} is in none of "
    more = "; name other files with --path\n"
    assert run("0" * 16, "--repo", checkout.path) == (
        1, "", f"{sentence}1 version of 1 file in 1 commit ({SEARCHED}){more}{NO_KEY}",
    )  # fmt: skip
    monkeypatch.setenv("OTEL_AGENTOPS_HASH_KEY", "s3cret")
    assert run(OLD, "--repo", checkout.path, "--path", "*.rst")[2].splitlines()[1] == (
        "otel-agentops which: hashes are made with the key in OTEL_AGENTOPS_HASH_KEY; take the service's"
    )
    keyed = identity(["A prompt elsewhere."], b"s3cret")
    assert run(keyed, "--repo", checkout.path)[0] == 1
    assert run(keyed, "--repo", checkout.path, "--path", "*.rst")[0] == 0


def test_shallow_clone_says_that_history_is_missing(checkout: Checkout, tmp_path: Path) -> None:
    checkout.commit("Greet", support_txt=FIRST)
    checkout.commit("Be terse", support_txt=SECOND)
    checkout.git("clone", "-q", "--depth", "1", f"file://{checkout.path}", str(tmp_path / "shallow"))
    code, _, err = run(OLD, "--repo", tmp_path / "shallow")
    assert (code, err.splitlines()[-1]) == (
        1, "otel-agentops which: a part of the history is not here; run `git fetch --unshallow`",
    )  # fmt: skip


def test_odd_files_and_commits_stop_no_search(checkout: Checkout) -> None:
    (checkout.path / "bytes.txt").write_bytes(b"\xff\xfe")
    (checkout.path / "long.txt").write_text("long " * 200_000)
    (checkout.path / "link.txt").symlink_to("bytes.txt")
    checkout.commit("Odd", empty_txt="", wrong_json='{"name": [', odd_json='[{"toolSpec": 1}]', wrong_py="def (",
                    agentops_lock="version: 2\n")  # fmt: skip
    colour = checkout.commit("Colour \x1b[31m", support_txt="Be \x1b[31mred.\n")
    code, out, err = run(identity(["Be \x1b[31mred.\n"]), "--repo", checkout.path)
    assert (code, out.splitlines()[1], err) == (0, f"  commit  {colour} Colour \N{REPLACEMENT CHARACTER}[31m", "")


@pytest.mark.parametrize(("directory", "reason"), [
    ("", "not a git repository (or any of the parent directories): .git"),
    ("none", "cannot change to '{}/none': No such file or directory"),
])  # fmt: skip
def test_directory_without_git_is_one_sentence(directory: str, reason: str, tmp_path: Path) -> None:
    sentence = f"{tmp_path / directory}: git says: {reason.format(tmp_path)}; name a git checkout with --repo"
    assert run("0" * 16, "--repo", tmp_path / directory) == (2, "", f"otel-agentops which: {sentence}\n")


def test_missing_git_and_wrong_hash_exit_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("support")[0] == 2
    monkeypatch.setenv("PATH", "")
    assert run("0" * 16, "--repo", tmp_path) == (
        2, "", "otel-agentops which: git is not installed, or not on PATH; install it\n",
    )  # fmt: skip
