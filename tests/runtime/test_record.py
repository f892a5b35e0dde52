"""The records are plain tuples: comparable, immutable, cheap to make, and unaware of OpenTelemetry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otel_agentops.operations import Answer, Attempt, ModelCall

ROOT = Path(__file__).parents[2]
RECORDS = [ModelCall("chat", "openai", None, {}), Answer(None, {}), Attempt(0, None)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_are_immutable_values(record: tuple[object, ...]) -> None:
    assert record == type(record)(*record)
    with pytest.raises(AttributeError):
        record.model = "x"  # type: ignore[attr-defined]


def test_unknown_counts_are_none_and_not_zero() -> None:
    answer = Answer(None, {})
    assert (answer.input_tokens, answer.output_tokens) == (None, None)


def test_operations_module_imports_no_opentelemetry() -> None:
    program = (
        "import importlib.util, sys; sys.modules['otel_agentops'] = type(sys)('otel_agentops');"
        "spec = importlib.util.spec_from_file_location('operations', 'src/otel_agentops/operations.py');"
        "module = importlib.util.module_from_spec(spec); sys.modules['operations'] = module;"
        "spec.loader.exec_module(module);"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
