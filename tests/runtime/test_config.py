"""Each variable right and wrong: one sentence, the default kept, nothing raised."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agentops import _config, _guard
from otel_agentops._config import Config, RecorderModes
from otel_agentops._config import read_config as read

ROOT = Path(__file__).parents[2]
Said = Callable[[], list[str]]
MODE, KEY, LIMIT, BAGGAGE = (f"OTEL_AGENTOPS_{name}" for name in ("MODE", "HASH_KEY", "PROMPT_LIMIT", "BAGGAGE"))
RECORDER_MODE = "OTEL_AGENTOPS_RECORDER_MODE"


def test_an_empty_environment_gives_the_defaults(said: Said) -> None:
    defaults = Config(mode="auto", hash_key=None, prompt_limit=100, baggage=frozenset({"task"}))
    assert read({}) == read({MODE: "", KEY: "", LIMIT: " ", BAGGAGE: ""}) == defaults == Config()
    assert said() == []


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        (MODE, "own", "mode", "own"),
        (MODE, " ENRICH ", "mode", "enrich"),
        (KEY, "k", "hash_key", b"k"),
        (KEY, " schlüssel\n", "hash_key", "schlüssel".encode()),
        (KEY, b"\xff\xfe".decode(errors="surrogateescape"), "hash_key", b"\xff\xfe"),
        (LIMIT, "7", "prompt_limit", 7),
        (BAGGAGE, "none", "baggage", frozenset()),
        (BAGGAGE, "Task, tenant,", "baggage", frozenset({"task", "tenant"})),
        (BAGGAGE, "task,traffic,tenant,rollout", "baggage", frozenset({"task", "traffic", "tenant", "rollout"})),
    ],
)
def test_valid_value_sets_its_field_alone(said: Said, name: str, text: str, field: str, value: Any) -> None:
    assert read({name: text}) == Config()._replace(**{field: value})
    assert said() == []


@pytest.mark.parametrize(
    ("text", "modes"),
    [
        ("", RecorderModes()),
        (" Full ", RecorderModes("full")),
        ("redacted, Documents=HASHES", RecorderModes("redacted", {"documents": "hashes"})),
        ("off,tenant:Acme=full,tenant:a=b=off", RecorderModes("off", {}, {"Acme": "full", "a=b": "off"})),
    ],
)
def test_recorder_modes_are_read_by_class_and_tenant(said: Said, text: str, modes: RecorderModes) -> None:
    assert read({RECORDER_MODE: text}).recorder_mode == modes
    assert read({RECORDER_MODE: str(modes)}).recorder_mode == modes
    assert said() == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("all", "all"),
        ("documents=hashes", "documents=hashes"),
        (",documents=hashes", ""),
        ("full,", ""),
        ("full,off", "off"),
        ("full,documents=none", "documents=none"),
        ("full,docs=off,query=none", "docs=off"),
        ("full,query=off,query=full", "query=full"),
        ("full,tenant:=off", "tenant:=off"),
        ("full,acme=off", "acme=off"),
    ],
)
def test_wrong_recorder_mode_is_off_with_one_warning(said: Said, text: str, wrong: str) -> None:
    assert read({RECORDER_MODE: text}).recorder_mode == RecorderModes()
    assert said() == [
        f"OTEL_AGENTOPS_RECORDER_MODE={text!r}: {wrong!r} is wrong; write one of off, hashes, redacted, full, then "
        "each class (request, response, headers, arguments, result, query, documents, configuration) or tenant:NAME "
        "once, as in redacted,documents=hashes,tenant:acme=off; off is used"
    ]


@pytest.mark.parametrize(
    ("text", "tenant_mode", "classes"),
    [
        ("hashes", None, {"request": "hashes", "documents": "hashes", "headers": "full"}),
        ("redacted,documents=full,headers=off", None, {"request": "redacted", "documents": "full", "headers": "off"}),
        ("redacted,documents=off,headers=full", "full", {"request": "full", "documents": "off", "headers": "full"}),
        ("full,documents=redacted", "hashes", {"request": "hashes", "documents": "hashes", "headers": "full"}),
        ("full,documents=full", "off", {"request": "off", "documents": "off", "headers": "off"}),
    ],
)
def test_stricter_mode_of_class_and_tenant_holds(text: str, tenant_mode: str | None, classes: dict[str, str]) -> None:
    modes = read({RECORDER_MODE: text}).recorder_mode.list_classes(tenant_mode)
    assert {name: modes[name] for name in classes} == classes


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (MODE, "both", "OTEL_AGENTOPS_MODE='both' is not one of auto, own, enrich; auto is used"),
        (LIMIT, "many", "OTEL_AGENTOPS_PROMPT_LIMIT='many' is not a whole number from 1 to 999999999; 100 is used"),
        (LIMIT, "0", "OTEL_AGENTOPS_PROMPT_LIMIT='0' is not a whole number from 1 to 999999999; 100 is used"),
        (LIMIT, "-1", "OTEL_AGENTOPS_PROMPT_LIMIT='-1' is not a whole number from 1 to 999999999; 100 is used"),
        (
            BAGGAGE,
            "task,everything",
            "OTEL_AGENTOPS_BAGGAGE='task,everything' is not a comma-separated list of task, traffic, tenant, rollout, "
            "or none; task is used",
        ),
        (
            BAGGAGE,
            "none,task",
            "OTEL_AGENTOPS_BAGGAGE='none,task' is not a comma-separated list of task, traffic, tenant, rollout, "
            "or none; task is used",
        ),
    ],
)
def test_wrong_value_warns_once_and_the_others_are_kept(said: Said, name: str, text: str, sentence: str) -> None:
    others = {MODE: "own", LIMIT: "5", BAGGAGE: "rollout"}
    right = Config(mode="own", prompt_limit=5, baggage=frozenset({"rollout"}))
    field = {MODE: "mode", LIMIT: "prompt_limit", BAGGAGE: "baggage"}[name]
    assert read({**others, name: text}) == right._replace(**{field: getattr(Config(), field)})
    assert said() == [sentence]


@given(st.dictionaries(st.sampled_from([MODE, KEY, LIMIT, BAGGAGE]), st.text()))
def test_config_never_fails_on_any_environment(environ: dict[str, str]) -> None:
    _guard.log.disabled = True
    try:
        config = read(environ)
    finally:
        _guard.log.disabled = False
    assert config.mode in _config.MODES
    assert config.prompt_limit > 0
    assert config.baggage <= set(_config.BAGGAGE_GROUPS)


def test_number_too_long_for_python_is_rejected(said: Said) -> None:
    assert read({LIMIT: "9" * 5000}) == Config()
    assert len(said()) == 1


def test_readme_lists_the_variables_and_defaults_of_the_module() -> None:
    """The same variables with the same defaults; the page of the recorder has those of the recorder."""
    rows = re.compile(r"^\| `?(OTEL_AGENTOPS_\w+)`? \|.*\| `?([^|`]*)`? \|$", re.MULTILINE)
    pages = [(ROOT / page).read_text() for page in ("README.md", "docs/recorder.md")]
    assert dict(row for page in pages for row in rows.findall(page)) == dict(rows.findall(_config.__doc__ or ""))
