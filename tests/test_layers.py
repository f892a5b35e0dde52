"""The architecture: imports between layers, what the install pulls in, long functions, broad exception handlers."""

from __future__ import annotations

import ast
import importlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import otel_agentops

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
PACKAGE = SRC / "otel_agentops"

# Lowest first; a module imports from the layers below its own. A pattern with `*` is a folder whose modules may import
# one another. A module that is not listed fails the test.
LAYERS = (
    ("version", "_adapters", "semconv", "semconv.*"),
    (
        "operations",
        "_guard",
        "_deferred_work",
        "_tool_arguments",
        "_edit_distance",
        "_schema_changes",
        "_retry_after",
        "_span_processors",
        "_yaml",
        "prometheus_api",
        "_content_limits",
        "gold",
        "personal_data",
    ),
    ("_body_bytes",),
    ("_redaction", "_task_values", "_retries"),
    (
        "_endpoint",
        "_config",
        "_coerce",
        "_hashing",
        "_held_spans",
        "_prices",
        "_baggage",
        "task_totals",
    ),
    ("_context",),
    ("_offered_tools", "_foreign_spans", "_result_shapes", "_open_retrieval"),
    ("_identity",),
    ("_derive",),
    ("_observation",),
    ("_placement", "_sinks", "_sinks.answer", "_sinks.span_attributes"),
    ("_sinks.own_span", "_sinks.evaluations", "_downstream"),
    ("_sinks.foreign_span",),
    ("_sinks.spans",),
    ("_sinks.metrics", "_sinks.open_tasks", "_sinks.retries", "_sinks.rate_limits", "_sinks.content"),
    ("_sinks.task_totals",),
    ("recorder", "recorder.*"),
    ("_sinks.recorder_users",),
    ("_sinks.recorder_entries", "_sinks.recorder_keys"),
    ("_sinks.recorder", "_sinks.recorder_parts"),
    ("_processor",),
    ("_telemetry",),
    ("_baggage_processor",),
    ("_entry_points",),
    ("_block", "_patching", "_client_call"),
    ("_wrapping", "_streams"),
    ("clients._protocols.fields",),
    ("clients", "clients._servers", "clients._families", "clients._protocols", "clients._protocols.protobuf"),
    ("clients._protocols.parts",),
    ("clients._protocols.openai_chat_content",),
    ("clients._families.stainless_streams", "clients._protocols.openai_chat"),
    ("clients._protocols.*", "clients._families.*"),
    ("clients.litellm._arguments", "clients.litellm._wire"),
    ("clients.litellm._inside",),
    ("clients.*",),  # one may not import another: see below
    ("stores", "stores.*"),
    ("helpers", "helpers.*"),
    ("frameworks", "frameworks.*"),  # a run is the verb's
    ("judges", "judges.*"),  # a judgement is the verb's
    ("_instrument",),
    ("",),  # otel_agentops itself: the public verbs
    ("testing", "testing.*", "doctor"),
    ("written_files", "command_line"),
    ("slo", "slo.*"),
    ("collector", "collector.*"),
    ("lock", "lock.*"),
    ("provenance", "provenance.*"),
    ("truth", "truth.*"),
    ("triage", "triage.*"),
    ("price_lists", "price_lists.*"),
    ("recorder.commands", "recorder.commands.*"),
    ("recorder.pytest_plugin",),
    ("cli",),
)
# What `pip install otel-agentops` brings; the rest is the extra `cli`, and the clients are the application's.
BASE = {"opentelemetry", "packaging", "rfc8785", "typing_extensions", "wrapt"}
GENERATED = {"attributes", "events", "metrics", "table"}


def name_module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_module(path): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
every_module = pytest.mark.parametrize("module", MODULES)


def find_layer(module: str) -> int:
    exact = [number for number, names in enumerate(LAYERS) if module in names]
    matched = [  # of a folder inside another one the longer pattern holds
        (len(name), number) for number, names in enumerate(LAYERS) for name in names if fnmatchcase(module, name)
    ]
    assert exact or matched, f"{module} has no layer: give it one in tests/test_layers.py"
    return exact[0] if exact else max(matched)[1]


def iterate_imports(tree: ast.AST) -> Iterator[str]:
    """Yield the full names of everything that is imported, anywhere in the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_own_imports(module: str) -> set[str]:
    """Return the modules of this package that a module imports; a name from a module is that module."""
    modules = set()
    for full in iterate_imports(MODULES[module]):
        if full.partition(".")[0] == "otel_agentops":
            name = full.partition(".")[2]
            modules.add(name if name in MODULES else name.rpartition(".")[0])
    return modules


def iterate_import_time(tree: ast.Module) -> Iterator[str]:
    """Yield the top packages that are imported with the module: not in functions, not for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).partition(".")[0]


@every_module
def test_module_imports_only_from_below(module: str) -> None:
    own = find_layer(module)
    folder = module.partition(".")[0]
    package = module.rpartition(".")[0]
    same_folder = any(f"{name}.*" in LAYERS[own] for name in (folder, package))
    above = {
        name
        for name in find_own_imports(module)
        if find_layer(name) > own
        or (find_layer(name) == own and not (same_folder and name.partition(".")[0] == folder))
    }
    assert above == set()


def test_every_layer_names_a_module() -> None:
    named = [name for names in LAYERS for name in names]
    assert [name for name in named if not any(fnmatchcase(module, name) for module in MODULES)] == []


ADAPTERS = ("clients.", "frameworks.", "stores.", "judges.")


@pytest.mark.parametrize("client", [name for name in MODULES if name.startswith(ADAPTERS) and "._" not in name])
def test_adapter_imports_no_opentelemetry_or_other_client(client: str) -> None:
    assert not {
        name for name in iterate_imports(MODULES[client]) if name.partition(".")[0] in {"opentelemetry", "wrapt"}
    }
    assert not {name for name in find_own_imports(client) if name.startswith(ADAPTERS) and "._" not in name}


def test_records_import_no_opentelemetry() -> None:
    assert not {name for name in iterate_imports(MODULES["operations"]) if name.startswith("opentelemetry")}


# Their packages come with the extra `cli`.
TOOLS = {
    "_yaml",
    "prometheus_api",
    "written_files",
    "command_line",
    "slo",
    "collector",
    "lock",
    "provenance",
    "truth",
    "triage",
    "price_lists",
    "recorder.commands",
    "cli",
}
# Whoever tests with it has it; the command line has its own extra.
ALLOWED = {"testing.contract": {"pytest"}, "recorder.pytest_plugin": {"pytest"}}


def is_tool(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in TOOLS)


@pytest.mark.parametrize("module", [name for name in MODULES if not is_tool(name)])
def test_runtime_imports_only_the_base_install(module: str) -> None:
    outside = {name for name in iterate_import_time(MODULES[module]) if name not in sys.stdlib_module_names}
    assert outside - BASE - {"otel_agentops", *ALLOWED.get(module, ())} == set()


HEAVY = {"typer", "rich", "pydantic", "ruamel", "httpx", "jinja2", "openai", "anthropic", "rfc8785", "requests"}


@pytest.mark.parametrize(
    "program",
    [
        "import otel_agentops",
        "import otel_agentops.clients.openai, otel_agentops.clients.anthropic",
        "from otel_agentops.clients import openai, anthropic; openai.Instrumentor().instrument();"
        "anthropic.Instrumentor().instrument()",
    ],
)
def test_import_and_install_load_no_client_and_no_cli(program: str) -> None:
    show = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"{program}\n{show}"], capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(done.stdout)) == set()


# -- the public side


def test_public_names_are_sorted_and_complete() -> None:
    names = otel_agentops.__all__
    assert names == sorted(names)
    public = {name for name in dir(otel_agentops) if not name.startswith("_")}
    modules = {name.partition(".")[0] for name in MODULES}
    assert public - modules - {"annotations", "importlib", "TYPE_CHECKING"} == set(names) - {"__version__"}


@pytest.mark.parametrize("name", [name for name in otel_agentops.__all__ if not name.startswith("_")])
def test_public_name_is_documented(name: str) -> None:
    verb = getattr(otel_agentops, name)
    assert verb.__doc__
    page = "docs/instrument.md" if name.endswith("instrument") else "docs/tasks.md"
    assert f"| `{name}(" in (ROOT / page).read_text()
    for method in vars(verb) if isinstance(verb, type) else ():
        if not method.startswith("_") and callable(getattr(verb, method)):
            assert getattr(verb, method).__doc__ or any(method in vars(base) for base in verb.__mro__[1:]), method


@every_module
def test_first_line_of_module_has_a_fair_length(module: str) -> None:
    first = (ast.get_docstring(MODULES[module]) or "").partition("\n")[0]
    assert 10 <= len(first) <= 120


# -- functions


def iterate_functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for module, tree in MODULES.items():
        if module.rpartition(".")[2] not in GENERATED:
            for node in ast.walk(tree):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield f"{module}.{node.name}", node


def count_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines from `def` to the end, without the docstring."""
    documentation = node.body[0] if ast.get_docstring(node) is not None else None
    return int(node.end_lineno or 0) - node.lineno + 1 - (
        int(documentation.end_lineno or 0) - documentation.lineno + 1 if documentation else 0
    )  # fmt: skip


def test_most_functions_are_short() -> None:
    lengths = [count_lines(node) for _, node in iterate_functions()]
    assert len(lengths) > 200
    assert statistics.quantiles(lengths, n=10)[-1] <= 25, "one function in ten may be longer"


def iterate_handlers() -> Iterator[tuple[str, ast.ExceptHandler]]:
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                yield module, node


def is_broad(handler: ast.ExceptHandler) -> bool:
    names = (
        {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else {"Exception"}
    )
    return bool(names & {"Exception", "BaseException"})


def is_reraised(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_only_the_guard_swallows_broad_exceptions() -> None:
    assert {module for module, handler in iterate_handlers() if is_broad(handler) and not is_reraised(handler)} == {
        "_guard"
    }


def test_no_broad_exception_is_suppressed() -> None:
    broad = [
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "suppress"
        for argument in node.args
        if getattr(argument, "id", "") in {"Exception", "BaseException"}
    ]
    assert broad == []


@every_module
def test_every_module_can_be_iterate_imports(module: str) -> None:
    importlib.import_module(f"otel_agentops.{module}".rstrip("."))
