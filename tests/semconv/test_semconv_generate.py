"""What is committed follows from the registry, and the check notices when it does not."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import generate
import semconv_registry
from semconv_registry import Registry


def test_committed_files_are_those_generated() -> None:
    done = subprocess.run(
        [sys.executable, "tools/generate.py", "--check"], cwd=generate.ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_check_names_the_file_that_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "docs/semconv.md").write_text("edited by hand")
    capsys.readouterr()
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err == "docs/semconv.md does not follow from semconv/; run `make gen` and commit it\n"
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_unsound_registry_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def unsound(*_: object) -> Registry:
        raise semconv_registry.RegistryError("task.yaml: something")

    monkeypatch.setattr(semconv_registry, "resolve", unsound)
    assert generate.main(["--check"]) == 2
    assert capsys.readouterr().err == "tools/generate.py: task.yaml: something\n"


@pytest.mark.parametrize(
    ("name", "constant"),
    [
        ("otel_agentops.prompt.hash", "PROMPT_HASH"),
        ("otel_agentops.param.{}.source", "PARAM_SOURCE"),
        ("gen_ai.request.model", "GEN_AI_REQUEST_MODEL"),
        ("openai.response.system_fingerprint", "OPENAI_RESPONSE_SYSTEM_FINGERPRINT"),
    ],
)
def test_constant(name: str, constant: str) -> None:
    assert generate.constant(name) == constant


def test_long_strings_stay_whole() -> None:
    """Wrapped, quoted and escaped, a text is still the same text."""
    text = 'A "quoted" word, a back\\slash and many others ' * 8
    source = "f(\n" + "\n".join(generate._sentence(text)) + "\n)"
    call = ast.parse(source).body[0].value  # type: ignore[attr-defined]
    assert ast.literal_eval(call.args[0]) == text
    assert max(map(len, source.splitlines())) <= 120


def test_attribute_module_is_nothing_but_assignments(registry: Registry) -> None:
    """It is imported into other people's production processes: no class, no import, nothing computed."""
    tree = ast.parse((generate.ROOT / generate.PACKAGE / "attributes.py").read_text())
    body = [node for node in tree.body if not isinstance(node, ast.Expr)]
    assert isinstance(body[0], ast.ImportFrom)
    assert body[0].module == "__future__"
    values = [ast.literal_eval(node.value) for node in body[1:] if isinstance(node, ast.Assign)]
    assert len(values) == len(body) - 1
    assert {value for value in values if isinstance(value, str)} == {
        attribute.name for attribute in registry.attributes
    }


def test_names_are_imported_without_the_generators_libraries() -> None:
    code = (
        "import sys; from otel_agentops.semconv import attributes, events, metrics, table; "
        "print(sorted({'ruamel', 'yaml', 'jinja2', 'pydantic'} & (set(sys.modules) - before)))"
    )
    code = "import sys, typing; before = set(sys.modules); " + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_page_has_every_name(registry: Registry) -> None:
    page = (generate.ROOT / "docs/semconv.md").read_text()
    names = [attribute.name.replace("{}", "<name>") for attribute in registry.attributes]
    names += [signal.name for signal in registry.signals]
    assert [name for name in names if f"`{name}`" not in page] == []
