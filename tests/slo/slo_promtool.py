"""promtool over the rules that a story needs: it evaluates each rule that it gets at each step."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NAME = re.compile(r"otel_agentops:[\w:]+")
ALERT = re.compile(r'alertname(?:=\\?"|": ")(\w+)')
# A story that asks for series or alerts by anything but their name is about all of them.
ANY = re.compile(r"__name__|ALERTS(?!\{alertname=\\)")


def check_story(
    promtool: Path, folder: Path, groups: Sequence[Mapping[str, Any]], story: Mapping[str, Any], every: str = "1s"
) -> None:
    """Run a story of promtool, and fail with what it says."""
    test = {"rule_files": ["rules.yaml"], "evaluation_interval": every, "tests": [story]}
    for name, content in (("rules.yaml", {"groups": select_rules(groups, story)}), ("test.yaml", test)):
        # JSON is YAML, and a hundred times faster to write; promtool takes no surrogate pairs.
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    # promtool allocates much and holds little: a lazier garbage collector saves a sixth of its time.
    done = subprocess.run(
        [promtool, "test", "rules", folder / "test.yaml"],
        env={**os.environ, "GOGC": "800"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def select_rules(groups: Sequence[Mapping[str, Any]], story: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the groups with the rules that a story asks for, and those that these read."""
    text = json.dumps(story)
    if ANY.search(text):
        return [*groups]
    rules = [(_name_rule(rule), {*NAME.findall(json.dumps(rule))}) for group in groups for rule in group["rules"]]
    names, count = {*NAME.findall(text), *ALERT.findall(text)}, 0
    while len(names) > count:
        count = len(names)
        names.update(*(read for name, read in rules if name in names))
    return [{**group, "rules": [rule for rule in group["rules"] if _name_rule(rule) in names]} for group in groups]


def _name_rule(rule: Mapping[str, Any]) -> str:
    return str(rule.get("record") or rule["alert"])
