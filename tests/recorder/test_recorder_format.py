"""The format as the documentation has it: its lines of Python read what was written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from recorder_entries import make_body, make_writer, offer

from otel_agentops.recorder.reading import list_segment_files
from otel_agentops.recorder.stripping import strip_segment

PAGE = Path(__file__).parents[2] / "docs" / "recorder-format.md"


def run_script(script: str, root: Path) -> str:
    (file,) = list_segment_files(root)
    result = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)
    return result.stdout


def write_segment(root: Path) -> None:
    recorder = make_writer(root)
    for number in range(40):
        offer(recorder, number, deadline_s=10 if number % 10 == 0 else 0.0)  # several frames
    assert recorder.close(10)


def test_ten_lines_of_the_docs_print_a_segment(tmp_path: Path) -> None:
    write_segment(tmp_path)
    script = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    assert len([line for line in script.splitlines() if line]) == 10
    heads = [json.loads(line) for line in run_script(script, tmp_path).splitlines() if line.startswith('{"ref"')]
    assert [head["ref"] for head in heads] == list(range(40))


def test_lines_of_the_docs_rebuild_every_part(tmp_path: Path) -> None:
    write_segment(tmp_path)
    reading, rebuilding = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = reading.splitlines()[:-1]
    script = "\n".join(["import json; pieces, recipes = [], []", *lines, rebuilding])
    printed = run_script(script, tmp_path)
    for number in range(40):
        body = make_body(number)
        assert repr(body) in printed


def test_lines_of_the_docs_rebuild_what_a_deletion_left(tmp_path: Path) -> None:
    write_segment(tmp_path)
    (file,) = list_segment_files(tmp_path)
    gone = range(5, 40, 3)
    strip_segment(file, lambda entry: entry.attributes["number"] in gone, {"scope": "some"})
    reading, rebuilding = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    script = "\n".join(["import json; pieces, recipes = [], []", *reading.splitlines()[:-1], rebuilding])
    printed = run_script(script, tmp_path)
    assert [repr(make_body(number)) in printed for number in range(40)] == [number not in gone for number in range(40)]
