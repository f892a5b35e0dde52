"""Measure how the source reads: docstring openings, names, function density and untyped values.

`python tools/style.py` prints one row per package and the whole; `--check` exits with 1 and names each docstring that
opens with a forbidden word and each function whose name is a bare participle.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent / "src" / "otel_agentops"
GENERATED = {ROOT / "semconv" / name for name in ("attributes.py", "events.py", "metrics.py", "table.py")}
FORBIDDEN = re.compile(r"(What|Whether|Where|Which|One that|The same of)\b")
# Imperatives with which a docstring may open, as in structlog, httpx and logfire, and those that this code needs.
VERBS = frozenset(
    """
    abandon accept account activate adapt add adjust advance agree align allow analyse answer append apply arrange ask
    assemble assert assign attach authenticate await begin bind block bound break build cache calculate call cancel
    capture carry change check choose claim clean clear clip clone close collapse collect combine compare compile
    complete compose compress compute configure connect consume continue convert copy correct count create cut decide
    declare decode decorate decrement deduplicate default defer define delay delegate delete deliver deny derive
    describe detach detect determine diff disable discard dispatch display divide do download draw drive drop dump
    echo edit emit enable encode end enforce enrich ensure enter enumerate escape estimate evaluate exclude execute
    exit expand expect explain export expose extend extract fail feed fetch fill filter find finish fit fix flag
    flatten flush fold follow forbid forget format forward freeze gather generate get give group guard guess hand
    handle hash hide hold honour identify ignore implement import include increment index infer inherit initialise
    inject insert inspect install instrument interpolate interpret intersect invoke isolate issue iterate join judge
    keep label launch lay learn leave let limit link list listen load locate lock log look lower make map mark match
    materialise measure merge mirror mock modify mount move name narrow nest normalise note notify number observe
    obtain offer omit open order override pack pad page pair parse pass patch pause perform pick pin place plan play
    plot poll pop populate post predict prefer prepare prepend print process produce project promote propagate prove
    provide prune publish pull push put query queue quote raise rank re-attach reattach re-enter re-raise read rebuild
    receive recognise record recover redirect reduce refer refresh refuse register reject release reload remember
    remove rename render repair repeat replace replay reply report represent request require reserve reset resolve
    respond restart restore resume retrieve retry return reuse reverse revert rewrite round route run sample save say
    scale scan schedule scrape search seed select send separate serialise serialize serve set share shift shorten show
    shut sign simplify simulate skip sleep slice sort speak spell split stamp start state stop store stream strip
    subscribe substitute substract suggest sum summarise supply suppress swallow swap switch synchronise take tell
    terminate test throw tidy time toggle track transform translate traverse treat trim truncate try turn undo
    uninstall unpack unquote unwrap update upgrade use validate verify visit wait walk want warn watch wrap write yield
    """.split()  # noqa: SIM905 a text of words reads better than 300 quoted ones
)
# Participles that stand alone as a name; a participle beside a noun (`kept_spans`) says something.
_IRREGULAR = frozenset(
    """
    begun brought built caught chosen come drawn driven fallen fed felt found given gone grown heard held hidden kept
    known laid left lent lost made meant met paid said seen sent shown shut sold spent spoken taken taught thought told
    understood went won written asked came
    """.split()  # noqa: SIM905 as above
)
# Names that only look like participles.
_NOUNS = frozenset(["embed", "feed", "need", "seed", "speed", "shed", "red", "bed", "deed", "weed"])


class Figures(NamedTuple):
    """Counts of one set of files."""

    lines: int = 0
    functions: int = 0
    documented: int = 0
    verb_first: int = 0
    forbidden: int = 0
    one_word: int = 0
    participles: int = 0
    untyped: int = 0

    def plus(self, other: Figures) -> Figures:
        """Return the sum of both, field by field."""
        return Figures(*(one + another for one, another in zip(self, other, strict=True)))


class Finding(NamedTuple):
    """A docstring or a name that `--check` refuses."""

    path: Path
    line: int
    text: str


def main() -> int:
    """Print the table, or with `--check` the findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a docstring or a name is refused")
    parser.add_argument("--list", metavar="DIR", help="list the functions below DIR that miss a rule")
    parser.add_argument("paths", nargs="*", type=Path, default=[ROOT])
    options = parser.parse_args()
    files = sorted(
        path
        for root in options.paths
        for path in (root.rglob("*.py") if root.is_dir() else [root])
        if path.resolve() not in GENERATED
    )
    if options.check:
        findings = [finding for path in files for finding in find_refused(path)]
        for path, line, text in findings:
            print(f"{path}:{line}: {text}")
        return 1 if findings else 0
    groups: dict[str, Figures] = {}
    for path in files:
        group = path.resolve().relative_to(ROOT).parts[0] if path.resolve().is_relative_to(ROOT) else str(path.parent)
        groups[group] = groups.get(group, Figures()).plus(measure_file(path))
    total = Figures()
    titles = ("lines", "verb-first", "forbidden", "one word", "particip.", "fn/1000", "Any/1000")
    print(" " * 24 + "".join(title.rjust(12) for title in titles))
    for group, figures in sorted(groups.items()):
        total = total.plus(figures)
        print_row(group, figures)
    print_row("all", total)
    return 0


def print_row(name: str, figures: Figures) -> None:
    """Print the shares and densities of one set of files."""
    documented, functions, lines = max(figures.documented, 1), max(figures.functions, 1), max(figures.lines, 1)
    print(
        f"{name:24}{figures.lines:>12}{figures.verb_first / documented:>12.0%}{figures.forbidden:>12}"
        f"{figures.one_word / functions:>12.0%}{figures.participles / functions:>12.1%}"
        f"{1000 * figures.functions / lines:>12.0f}{1000 * figures.untyped / lines:>12.0f}"
    )


def measure_file(path: Path) -> Figures:
    """Count what one file has."""
    source = path.read_text()
    tree = ast.parse(source)
    functions = list(iterate_functions(tree))
    openings = [first_line(function) for function in functions]
    return Figures(
        lines=len(source.splitlines()),
        functions=len(functions),
        documented=sum(opening is not None for opening in openings),
        verb_first=sum(opening is not None and opens_with_verb(opening) for opening in openings),
        forbidden=sum(opening is not None and FORBIDDEN.match(opening) is not None for opening in openings),
        one_word=sum("_" not in function.name.strip("_") for function in functions),
        participles=sum(is_participle(function.name) for function in functions),
        untyped=sum(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(tree)),
    )


def find_refused(path: Path) -> Iterator[Finding]:
    """Yield every docstring and name of a file that `make check` refuses."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
            opening = first_line(node)
            if opening is not None and FORBIDDEN.match(opening):
                yield Finding(path, getattr(node, "lineno", 1), f"docstring opens with a forbidden word: {opening!r}")
    for function in iterate_functions(ast.parse(path.read_text())):
        if is_participle(function.name):
            yield Finding(path, function.lineno, f"{function.name} is a bare participle; name it with a verb")


def iterate_functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions of a module; dunders and wrappers named after what they replace are not ours to name."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("__"):
            yield node


def first_line(node: ast.AsyncFunctionDef | ast.FunctionDef | ast.ClassDef | ast.Module) -> str | None:
    """Return the first line of a docstring, None without one."""
    text = ast.get_docstring(node)
    return text.splitlines()[0] if text else None


def opens_with_verb(opening: str) -> bool:
    """Return True if the first word is an imperative verb."""
    return re.split(r"[^\w-]", opening, maxsplit=1)[0].lower() in VERBS


def is_participle(name: str) -> bool:
    """Return True if the name is one word and that word is a participle."""
    word = name.strip("_")
    return "_" not in word and word not in _NOUNS and (word in _IRREGULAR or (word.endswith("ed") and len(word) > 4))


if __name__ == "__main__":
    sys.exit(main())
