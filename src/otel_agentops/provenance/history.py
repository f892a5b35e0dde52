"""The history of some files of a git checkout: every commit that changed one, and the text before and after."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from otel_agentops._yaml import InputError

# Texts that may hold a template, a rubric or tools; others are named with --path. YAML is not among them: its reader is
# written in Python and takes 0.15 s for a version of 30 kB.
USUAL_FILES = ("txt", "md", "prompt", "tmpl", "j2", "jinja", "jinja2", "json", "py")
_MAX_BYTES = 512 * 1024  # of a version that is read; a longer one is data, not a prompt
_FORMAT = "%x01%H%x02%aN <%aE>%x02%aI%x02%s"
# What a word of a diff is: in JSON and code, words touch punctuation.
_WORD = r"[[:alnum:]_]+|[^[:space:]]"


class Commit(NamedTuple):
    """A commit; the hash of changes that are not committed is empty."""

    hash: str
    author: str
    date: str
    subject: str


class Change(NamedTuple):
    """A file that a commit added or changed.

    Attributes:
        commit: The commit.
        file: Its path from the top of the checkout.
        blob: The git object with its text; empty if it is in the working tree alone.
        blobs_before: Those of the versions before; several in a merge, none of a new file.
    """

    commit: Commit
    file: str
    blob: str
    blobs_before: tuple[str, ...]


NOT_COMMITTED = Commit("", "", "", "")


class Checkout:
    """A git checkout, read through `git`."""

    def __init__(self, directory: Path, patterns: Sequence[str]) -> None:
        """Find the top of the checkout.

        Args:
            directory: Any directory of it.
            patterns: Of the files to look at, from that directory; the usual ones if there are none. The lock file is
                always among them.

        Raises:
            InputError: It is no git checkout, or there is no git.
        """
        self._directory = directory
        self.top = Path(self._run_git("rev-parse", "--show-toplevel").removesuffix("\n"))
        self.patterns = (*(patterns or (f"**/*.{suffix}" for suffix in USUAL_FILES)), "**/agentops.lock")
        magic = "glob" if patterns else "top,glob"
        self._pathspecs = [*(f":({magic}){one}" for one in self.patterns[:-1]), f":(top,glob){self.patterns[-1]}"]

    def list_changes(self) -> list[Change]:
        """Return all changes of all branches, the newest first, and before them what is not committed."""
        log = self._run_git(
            "log", "--exclude=refs/stash", "--all", "--no-color", "--no-show-signature", "-c", "--raw", "--no-abbrev",
            "-M", "-z", f"--format={_FORMAT}", "--", *self._pathspecs,
        )  # fmt: skip
        commits = (entry.partition("\0") for entry in re.split("\1(?=[0-9a-f]{40,64}\2)", log)[1:])
        changes = [change for head, _, raw in commits for change in _parse_changes(Commit(*head.split("\2", 3)), raw)]
        return [*self._list_uncommitted(), *changes]

    def is_shallow(self) -> bool:
        """Return True if a part of the history was not fetched."""
        return self._run_git("rev-parse", "--is-shallow-repository").strip() == "true"

    @contextmanager
    def open_objects(self) -> Iterator[Objects]:
        """Open the objects of the checkout for reading."""
        command = ["git", "-C", str(self._directory), "cat-file", "--batch"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None and process.stdout is not None
            yield Objects(process.stdin, process.stdout, self.top)

    def diff_words(self, change: Change) -> str:
        """Return the word diff against the version before, as [-old-]{+new+}; empty for a new file."""
        if not change.blobs_before:
            return ""
        objects = [change.blobs_before[0], *([change.blob] if change.blob else ["--", change.file])]
        text = self._run_git(
            "-C", str(self.top), "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--unified=1",
            "--word-diff=plain", f"--word-diff-regex={_WORD}", *objects,
        )  # fmt: skip
        return text[text.index("@@") :] if "@@" in text else ""

    def _list_uncommitted(self) -> Iterator[Change]:
        output = self._run_git(
            "ls-files", "--full-name", "-z", "--modified", "--others", "--exclude-standard", "--", *self._pathspecs
        )
        for file in sorted({*output.split("\0")} - {""}):
            if (self.top / file).is_file() and not (self.top / file).is_symlink():
                tree = self._run_git("ls-files", "--stage", "-z", "--", f":(top,literal){file}").split()
                yield Change(NOT_COMMITTED, file, "", (tree[1],) if tree else ())

    def _run_git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self._directory), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, check=True)
        except FileNotFoundError:
            raise InputError("git is not installed, or not on PATH; install it") from None
        except subprocess.CalledProcessError as error:
            reason = error.stderr.decode(errors="replace").strip().partition("\n")[0].removeprefix("fatal: ")
            raise InputError(f"{self._directory}: git says: {reason}; name a git checkout with --repo") from None
        return done.stdout.decode(errors="surrogateescape")


class Objects:
    """The texts of a checkout, read one by one from a process of git that stays."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes], top: Path) -> None:
        self._requests = requests
        self._answers = answers
        self._top = top

    def read_text(self, blob: str, file: str) -> str | None:
        """Return a version of a file as a program reads it, with \\n as line ends.

        Args:
            blob: The git object; empty for the working tree.
            file: The path, from the top.

        Returns:
            The text; None if it is no text in UTF-8, too long, or not there, as in a partial clone.
        """
        try:
            content = self._read_object(blob) if blob else (self._top / file).read_bytes()
            return content.decode().replace("\r\n", "\n") if content and len(content) <= _MAX_BYTES else None
        except (OSError, UnicodeDecodeError):
            return None

    def _read_object(self, blob: str) -> bytes | None:
        self._requests.write(f"{blob}\n".encode())
        self._requests.flush()
        head = self._answers.readline().split()
        if len(head) != 3:  # "<id> missing"
            return None
        content = self._answers.read(int(head[2]) + 1)
        return content[:-1]


def _parse_changes(commit: Commit, raw: str) -> Iterator[Change]:
    """Read the raw diff of a commit: `:modes blobs status NUL path NUL`, one colon and old blob for each parent."""
    fields = iter(raw.lstrip("\n\0").split("\0"))
    for field in fields:
        if not field.startswith(":"):
            continue
        parents = len(field) - len(field.lstrip(":"))
        words = field[parents:].split(" ")
        modes, blobs, status = words[: parents + 1], words[parents + 1 : 2 * parents + 2], words[-1]
        file = next(fields)
        if parents == 1 and status[0] in "RC":
            file = next(fields)
        if modes[-1].startswith("100"):  # a file: no link, no submodule, and not deleted
            yield Change(commit, file, blobs[-1], tuple(dict.fromkeys(one for one in blobs[:-1] if one.strip("0"))))
