"""What is patched: when, where, only if it fits, and back to the very same objects."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import openai
import openai._base_client
import pytest
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otel_agentops import _telemetry
from otel_agentops._patching import PatchedLibrary, Target
from otel_agentops.clients.openai import LIBRARY, Instrumentor
from otel_agentops.testing import Capture, capture
from otel_agentops.testing.fake_provider import FakeProvider

BASE = "openai._base_client"
ABSENT = object()


def talk(provider: FakeProvider) -> str:
    client = openai.OpenAI(api_key="k", base_url=provider.openai_url, max_retries=0)
    answer = client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}])
    return answer.model


def in_place(client: PatchedLibrary = LIBRARY) -> dict[tuple[str, str], Any]:
    """What stands in each class under each patched name; ABSENT where the class inherits it."""
    found = {}
    for target in client.targets:
        owner = getattr(importlib.import_module(target.module), target.owner)
        found[target.owner, target.name] = vars(owner).get(target.name, ABSENT)
    return found


@pytest.fixture
def instrumentor() -> BaseInstrumentor:
    return Instrumentor()


@pytest.fixture
def installed() -> Iterator[Callable[..., PatchedLibrary]]:
    """Installs a client of the given targets, and puts everything back."""
    made: list[PatchedLibrary] = []

    def install(seen: Capture, versions: str = LIBRARY.versions, targets: Any = LIBRARY.targets) -> PatchedLibrary:
        made.append(PatchedLibrary("openai", versions, targets))
        made[-1].install(_telemetry.get_default())
        return made[-1]

    yield install
    for client in made:
        client.uninstall()
    assert in_place() == ORIGINALS


ORIGINALS = in_place()


@pytest.fixture
def seen() -> Iterator[Capture]:
    """What is emitted by whatever a test installs itself."""
    with capture() as everything:
        yield everything


# -- put in and taken out


def test_module_with_the_name_of_another_is_patched(
    installed: Callable[..., PatchedLibrary], seen: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CrewAI gives some of its modules the `__name__` of another."""
    module = types.ModuleType("another")
    module.work = lambda: "work"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "renamed", module)
    library = installed(seen, targets=(Target("renamed", "", "work", lambda original, library: lambda: "patched"),))
    assert module.work() == "patched"
    library.uninstall()
    assert module.work() == "work"


def test_every_target_is_patched_and_put_back(provider: FakeProvider) -> None:
    with capture(Instrumentor()):
        during = in_place()
        for (owner, name), original in ORIGINALS.items():
            if original is not ABSENT:
                assert during[owner, name] is not original, f"{owner}.{name} is not patched"
    after = in_place()
    assert [key for key, original in ORIGINALS.items() if after[key] is not original] == []
    assert talk(provider) == "gpt-x-2026-03-01"


def test_a_patched_method_looks_like_the_original(seen: Capture, installed: Any) -> None:
    installed(seen)
    for (owner, name), original in ORIGINALS.items():
        if original is ABSENT:
            continue
        patched = in_place()[owner, name]
        assert inspect.signature(patched) == inspect.signature(original), (owner, name)
        assert (patched.__name__, patched.__doc__) == (original.__name__, original.__doc__)
        if not name.startswith("_"):
            assert inspect.iscoroutinefunction(patched) == inspect.iscoroutinefunction(original), (owner, name)


def test_installing_twice_patches_once(provider: FakeProvider, seen: Capture, installed: Any) -> None:
    client = installed(seen)
    once = in_place()
    client.install(_telemetry.get_default())
    assert in_place() == once
    talk(provider)
    assert len(seen.spans) == 1


def test_install_after_uninstall_patches_again(provider: FakeProvider, seen: Capture, installed: Any) -> None:
    client = installed(seen)
    client.uninstall()
    talk(provider)
    assert seen.spans == []
    client.install(_telemetry.get_default())
    talk(provider)
    assert len(seen.spans) == 1


# -- others on the same methods


def wrapper_over(original: Any) -> Any:
    """As other instrumentations do it."""

    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **kwargs)

    return request


def test_wrapper_over_ours_is_left_in_place(
    provider: FakeProvider, seen: Capture, installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = installed(seen)
    owner = openai._base_client.SyncAPIClient
    theirs = wrapper_over(owner.request)
    with monkeypatch.context() as patch:
        patch.setattr(owner, "request", theirs)
        talk(provider)
        assert len(seen.spans) == 1
        client.uninstall()
        assert owner.request is theirs
        assert talk(provider) == "gpt-x-2026-03-01"
        assert len(seen.spans) == 1
        client.install(_telemetry.get_default())
        talk(provider)
        assert len(seen.spans) == 2


def test_wrapper_under_ours_is_restored(
    provider: FakeProvider, seen: Capture, installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrapper on the subclass hides the base's method, on which we are: theirs is wrapped, too."""
    theirs = wrapper_over(openai.OpenAI.request)
    with monkeypatch.context() as patch:
        patch.setattr(openai.OpenAI, "request", theirs)
        client = installed(seen)
        talk(provider)
        assert len(seen.spans) == 1
        client.uninstall()
        assert vars(openai.OpenAI)["request"] is theirs


def test_a_function_of_a_module_is_patched_and_put_back(seen: Capture, installed: Any) -> None:
    """It is looked up where it stands at each call, so that its callers need no patch."""
    told: list[Any] = []

    def wrap(original: Any, patched: PatchedLibrary) -> Any:
        def make(*args: Any, **kwargs: Any) -> Any:
            told.append(args)
            return original(*args, **kwargs)

        return make

    module = importlib.import_module(BASE)
    original = module._merge_mappings
    client = installed(seen, targets=[Target(BASE, "", "_merge_mappings", wrap)])
    assert module._merge_mappings({"a": 1}, {"b": 2}) == original({"a": 1}, {"b": 2})
    assert told == [({"a": 1}, {"b": 2})]
    client.uninstall()
    assert module._merge_mappings is original


# -- what does not fit


def nothing(original: Any, patched: PatchedLibrary) -> Any:
    raise AssertionError("a target that does not fit is not wrapped")


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (Target(BASE, "SyncAPIClient", "request", nothing, ("no_such",)), "has another signature than expected"),
        (Target(BASE, "SyncAPIClient", "no_such", nothing), "is missing"),
        (Target(BASE, "NoSuchClient", "request", nothing), "is missing"),
        (Target(BASE, "", "no_such", nothing), "is missing"),
    ],
)
def test_target_that_does_not_fit_is_left_alone(
    seen: Capture, installed: Any, caplog: pytest.LogCaptureFixture, target: Target, problem: str
) -> None:
    client = installed(seen, targets=[target])
    assert client.patches == {}
    assert [record.getMessage() for record in caplog.records] == [
        f"{'.'.join(filter(None, target[:3]))} of openai {problem}; it is left alone, and the telemetry of calls that "
        "pass it lacks a part"
    ]


@pytest.mark.parametrize(("newer", "patched"), [("_build_request", 0), ("no_such", 1)])
def test_superseded_target_is_patched_if_the_newer_is_missing(
    provider: FakeProvider, seen: Capture, installed: Any, newer: str, patched: int
) -> None:
    (request,) = [target for target in LIBRARY.targets if target[1:3] == ("SyncAPIClient", "request")]
    client = installed(seen, targets=[request._replace(superseded_by=newer)])
    assert len(client.patches) == patched


def test_other_targets_are_patched_if_one_does_not_fit(provider: FakeProvider, seen: Capture, installed: Any) -> None:
    targets = [t._replace(parameters=("no_such",)) if t.name == "_sleep_for_retry" else t for t in LIBRARY.targets]
    installed(seen, targets=targets)
    talk(provider)
    assert len(seen.spans) == 1


def test_unsupported_version_is_left_alone(
    provider: FakeProvider, seen: Capture, installed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    installed(seen, versions="<2")
    assert in_place() == ORIGINALS
    assert talk(provider) == "gpt-x-2026-03-01"
    assert seen.spans == []
    assert [record.getMessage() for record in caplog.records] == [
        f"openai {openai.__version__} is outside the supported range <2; its calls are not instrumented"
    ]


def test_a_library_without_a_distribution_is_left_alone(seen: Capture, caplog: pytest.LogCaptureFixture) -> None:
    client = PatchedLibrary("no-such-distribution", ">=1", LIBRARY.targets)
    client.install(_telemetry.get_default())
    assert in_place() == ORIGINALS
    assert [record.getMessage() for record in caplog.records] == [
        "no-such-distribution is imported but not installed; its calls are not instrumented"
    ]


# -- start-up

LAZY = """
import sys
from otel_agentops.clients.openai import LIBRARY, Instrumentor

Instrumentor().instrument()
loaded = {"openai", "pydantic", "httpx", "httpx2"} & set(sys.modules)
assert not loaded, f"start-up imported {loaded}"
assert not LIBRARY.patches

import openai._base_client
assert {target.module for target in LIBRARY.patches} >= {"openai._base_client"}, LIBRARY.patches
import openai._client, openai._response, openai.lib.streaming.chat, openai.lib.streaming.responses
assert len(LIBRARY.patches) == len(LIBRARY.targets) - 2, LIBRARY.patches  # nobody else is on the subclasses
Instrumentor().uninstrument()
assert not LIBRARY.patches
"""


def test_instrumenting_imports_no_client() -> None:
    run = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
