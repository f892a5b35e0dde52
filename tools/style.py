"""Measure how the source reads: docstring openings, names, function density and untyped values.

    python tools/style.py [PATH...]            one row per package, and one for all of them
    python tools/style.py --list [PATH...]     every function that misses a rule, for a person to judge
    python tools/style.py --check [PATH...]    docstrings with a forbidden opening, names that are bare participles and
                                               long names of tests; exits with 1 if there are any

Without a path, the package is read; --check reads the names of the tests as well.

Some functions are not ours to name, so that the rules for names leave them out: dunders, and functions nested in
another one, which replace a method of an SDK and bear its name or are never called by name. A property reads as an
attribute: neither its name nor its docstring has to be a verb.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent / "src" / "otel_agentops"
TESTS = Path(__file__).parent.parent / "tests"
LONGEST_TEST_NAME = 60  # characters, so that a failure fits on one line of a report
GENERATED = {ROOT / "semconv" / name for name in ("attributes.py", "events.py", "metrics.py", "table.py")}
FORBIDDEN = re.compile(r"(What|Whether|Where|Which|One that|The same of)\b")
# Imperatives with which a docstring may open, as in structlog, httpx and logfire, and those that this code needs.
VERBS = frozenset(
    """
    abandon abort absorb accept account acquire activate adapt add adjust advance agree align allow analyse answer
    append apply arrange ask assemble assert assign attach authenticate await begin bind block bound break build cache
    calculate call cancel capture carry change check choose claim clamp classify clean clear clip clone close coerce
    collapse collect combine commit compare compile complete compose compress compute configure confirm connect consume
    continue convert copy correct count create cut decide declare decode decompress decorate decrement deduplicate
    default defer define delay delegate delete deliver deny derive describe deselect deserialise deserialize destroy
    detach detect determine diff disable discard dispatch display distinguish divide do download draw drive drop dump
    duplicate echo edit emit enable encode end enforce enrich ensure enter enumerate escape estimate evaluate exclude
    execute exit expand expect explain export expose extend extract fail feed fetch fill filter finalise find finish
    fit fix flag flatten flush fold follow forbid forget format forward freeze gather generate get give group guard
    guess hand handle hash hide hold honour identify ignore implement import include increment index infer inherit
    initialise initialize inject insert inspect install instrument interpolate interpret intersect invalidate invert
    invoke isolate issue iterate join judge keep label launch lay learn leave let limit link list listen load locate
    lock log look lower make map mark match materialise measure merge mirror mock modify mount move name narrow nest
    normalise note notify number observe obtain offer omit open order override pack pad page pair parse partition pass
    patch pause perform persist pick pin place plan play plot poll pop populate post predict prefer prepare prepend
    print probe process produce project promote propagate prove provide prune publish pull push put query queue quote
    raise rank re-attach re-enter re-raise read reattach rebuild receive recognise recompute reconnect reconstruct
    record recover redirect reduce refer refresh refuse register reject release reload remember remove rename render
    repair repeat replace replay reply report represent request require reserve reset resolve respond restart restore
    resume retain retrieve retry return reuse reverse revert rewrite rotate round route run sample sanitise save say
    scale scan schedule scrape search seed select send separate serialise serialize serve set share shift shorten show
    shut sign simplify simulate skip sleep slice sort spawn speak spell split stamp start state stop store stream strip
    submit subscribe substitute subtract suggest sum summarise supply suppress suspend swallow swap switch synchronise
    take tell terminate test throttle throw tidy time toggle track transform translate traverse treat trim truncate try
    turn undo uninstall unpack unquote unset unwrap update upgrade use validate verify visit wait wake walk want warn
    watch weigh wrap write yield
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
# Steps that a subclass or a sink is told of: a hook is named after what has happened, as in inspect_ai or pytest.
_HOOKS = frozenset(["called", "ended", "returned", "started"])
# Names that only look like participles.
_NOUNS = frozenset(["embed", "feed", "need", "seed", "speed", "shed", "red", "bed", "deed", "weed"])


class Figures(NamedTuple):
    """Counts of one set of files."""

    lines: int = 0
    functions: int = 0
    named: int = 0
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
    """A docstring or a name that misses a rule."""

    path: Path
    line: int
    text: str


def main() -> int:
    """Print the table or the findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="print what is refused, and exit with 1")
    parser.add_argument("--list", action="store_true", help="print every function that misses a rule")
    parser.add_argument("paths", nargs="*", type=Path)
    options = parser.parse_args()
    files = list_files(options.paths or [ROOT])
    if options.check or options.list:
        find = find_refused if options.check else find_missed
        findings = [finding for path in files for finding in find(path)]
        if options.check:
            tests = files if options.paths else list_files([ROOT, TESTS])
            findings += [finding for path in tests for finding in find_long_tests(path)]
        for path, line, text in findings:
            print(f"{path}:{line}: {text}")
        return 1 if findings and options.check else 0
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


def list_files(roots: Iterable[Path]) -> list[Path]:
    """Return the Python files below the roots, without the generated ones."""
    return sorted(
        path
        for root in roots
        for path in (root.rglob("*.py") if root.is_dir() else [root])
        if path.resolve() not in GENERATED
    )


def print_row(name: str, figures: Figures) -> None:
    """Print the shares and densities of one set of files."""
    documented, named, lines = max(figures.documented, 1), max(figures.named, 1), max(figures.lines, 1)
    print(
        f"{name:24}{figures.lines:>12}{figures.verb_first / documented:>12.0%}{figures.forbidden:>12}"
        f"{figures.one_word / named:>12.0%}{figures.participles / named:>12.1%}"
        f"{1000 * figures.functions / lines:>12.0f}{1000 * figures.untyped / lines:>12.0f}"
    )


def measure_file(path: Path) -> Figures:
    """Count what one file has."""
    source = path.read_text()
    tree = ast.parse(source)
    functions = list(iterate_functions(tree))
    named = [function for function in functions if function.is_ours_to_name]
    openings = [function.opening for function in functions if function.opening and not function.is_property]
    return Figures(
        lines=len(source.splitlines()),
        functions=len(functions),
        named=sum(not function.is_property for function in named),
        documented=len(openings),
        verb_first=sum(opens_with_verb(opening) for opening in openings),
        forbidden=sum(bool(FORBIDDEN.match(function.opening or "")) for function in functions),
        one_word=sum(function.has_one_word for function in named),
        participles=sum(is_participle(function.name) for function in named),
        untyped=sum("Any" in (getattr(node, "id", None), getattr(node, "attr", None)) for node in ast.walk(tree)),
    )


def find_refused(path: Path) -> Iterator[Finding]:
    """Yield every docstring and name of a file that `make check` refuses."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
            opening = first_line(node)
            if opening is not None and FORBIDDEN.match(opening):
                yield Finding(path, getattr(node, "lineno", 1), f"docstring opens with a forbidden word: {opening!r}")
    for function in iterate_functions(tree):
        if function.is_ours_to_name and is_participle(function.name):
            yield Finding(path, function.line, f"{function.name} is a bare participle; name it with a verb")


def find_long_tests(path: Path) -> Iterator[Finding]:
    """Yield the tests of a file whose names are too long."""
    for function in iterate_functions(ast.parse(path.read_text())):
        if function.name.startswith("test_") and len(function.name) > LONGEST_TEST_NAME:
            advice = f"is longer than {LONGEST_TEST_NAME} characters; name it test_<subject>_<behaviour>"
            yield Finding(path, function.line, f"{function.name} {advice}")


def find_missed(path: Path) -> Iterator[Finding]:
    """Yield the refused docstrings and names of a file, docstrings without a verb and names of one word."""
    yield from find_refused(path)
    for function in iterate_functions(ast.parse(path.read_text())):
        opening = function.opening
        if opening and not (function.is_property or opens_with_verb(opening) or FORBIDDEN.match(opening)):
            yield Finding(path, function.line, f"docstring of {function.name} opens with no verb: {opening!r}")
        if function.is_ours_to_name and function.has_one_word:
            yield Finding(path, function.line, f"{function.name} is one word")


class Function(NamedTuple):
    """A function or method as the rules see it."""

    name: str
    line: int
    opening: str | None
    is_property: bool
    is_ours_to_name: bool

    @property
    def has_one_word(self) -> bool:
        """True if the name is one word, and is not a property's."""
        return "_" not in self.name.strip("_") and not self.is_property


def iterate_functions(tree: ast.AST, *, is_nested: bool = False) -> Iterator[Function]:
    """Yield the functions of a module, without the dunders."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if not node.name.startswith("__"):
                decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
                is_property = bool(decorators & {"property", "cached_property", "functools.cached_property"})
                yield Function(node.name, node.lineno, first_line(node), is_property, not is_nested)
            yield from iterate_functions(node, is_nested=True)
        else:
            yield from iterate_functions(node, is_nested=is_nested)


def first_line(node: ast.AsyncFunctionDef | ast.FunctionDef | ast.ClassDef | ast.Module) -> str | None:
    """Return the first line of a docstring, None without one."""
    text = ast.get_docstring(node)
    return text.splitlines()[0] if text else None


def opens_with_verb(opening: str) -> bool:
    """Return True if the first word is an imperative verb."""
    return re.split(r"[^\w-]", opening, maxsplit=1)[0].lower() in VERBS


def is_participle(name: str) -> bool:
    """Return True if the name is one word and that word is a participle, and not the name of a hook."""
    word = name.strip("_")
    return (
        word not in _HOOKS
        and "_" not in word
        and word not in _NOUNS
        and (word in _IRREGULAR or (word.endswith("ed") and len(word) > 4))
    )


if __name__ == "__main__":
    sys.exit(main())
