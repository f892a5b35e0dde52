"""Where a library is patched: from data, as soon as it is imported, and put back.

An adapter is `Target`s (where, with what) in a `Client`, and what its entry point is.
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar, NamedTuple

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion

from otel_agentops import _telemetry
from otel_agentops._guard import guard, log
from otel_agentops._telemetry import Telemetry


class Target(NamedTuple):
    """A place to patch. wrap: the original function to its replacement, which calls it unless `Client.active` is off.

    owner: the class in the module; empty for a function of the module itself.
    parameters: names that the original's signature must have; where they are missing the target is left alone.
    own_only: patch only where the class itself defines the name, e.g. because somebody patched it there before us.
    unless: a name of newer versions that is patched in the place of this one; where the class has it, this is left out.
    optional: some of the supported versions do not have it, and no word is lost about that.
    """

    module: str
    owner: str
    name: str
    wrap: Callable[[Callable[..., Any], Client], Callable[..., Any]]
    parameters: tuple[str, ...] = ()
    own_only: bool = False
    unless: str = ""
    optional: bool = False

    @property
    def expected(self) -> bool:
        """Whether every version has it."""
        return not self.own_only and not self.unless and not self.optional


class Patch:
    """One replaced attribute of a class or module, and how to put the original back."""

    def __init__(self, target: Target, owner: Any, original: Any, replacement: Any) -> None:
        self.target = target
        self.owner = owner
        self.inherited = target.name not in vars(owner)
        self.original = original
        self.replacement = replacement

    def apply(self) -> None:
        """Put the replacement in place."""
        setattr(self.owner, self.target.name, self.replacement)

    def undo(self) -> bool:
        """Put the original back; False, and nothing done, where somebody else has wrapped ours meanwhile."""
        name = self.target.name
        # A class may keep what is set on it somewhere else: then reading gives it back.
        if vars(self.owner).get(name, getattr(self.owner, name, None)) is not self.replacement:
            return False
        if self.inherited:
            delattr(self.owner, self.target.name)
        else:
            setattr(self.owner, self.target.name, self.original)
        return True


class Tracing(NamedTuple):
    """A client's own tracing, on by default. versions: that have it. variable: turns it off when it is `off`."""

    versions: str
    variable: str
    off: str


class Support(NamedTuple):
    """What the README's table and `doctor` say of a client; operations, native and not_covered are clauses.

    operations: what is observed, e.g. "chat", "embeddings". native: the client's own tracing and what we do beside it,
    None where it has none. not_covered: what the client can do that passes unobserved, with the reason where it is not
    plain. peers: distributions that instrument the client as well. tracing: how its own is turned off, where it is on.
    """

    operations: tuple[str, ...] = ()
    native: str | None = None
    not_covered: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    tracing: Tracing | None = None


UNTOLD = Support()


def within(versions: str, version: str) -> bool:
    """Whether a version, final or not, is in a range as PEP 440 has it; what is no version is in none."""
    try:
        return SpecifierSet(versions, prereleases=True).contains(version)
    except InvalidVersion:  # packaging before 26
        return False


class Client:
    """One patched library: its targets, and the telemetry that its calls go to while it is active.

    distribution: its name on PyPI. versions: the supported range as PEP 440 has it, `>=oldest,<next`; both ends tested.
    """

    def __init__(self, distribution: str, versions: str, targets: Iterable[Target], support: Support = UNTOLD) -> None:
        self.support = support
        self.distribution = distribution
        self.versions = versions
        self.targets = tuple(targets)
        self.active = False
        self.telemetry: Telemetry | None = None
        self.patches: dict[Target, Patch] = {}
        self._supported: bool | None = None  # until a module of the library is imported

    def supports(self, version: str) -> bool:
        """Whether a version is in the range; one that a build named by no rule is not."""
        return within(self.versions, version)

    def install(self, telemetry: Telemetry) -> None:
        """Patch now where the library is imported, else as soon as it is; nothing is imported for it."""
        self.telemetry = telemetry
        self.active = True
        self._supported = None
        for module in dict.fromkeys(target.module for target in self.targets):
            wrapt.register_post_import_hook(self._patch_module, module)

    def uninstall(self) -> None:
        """Put back every original that is still ours to put back; the rest passes calls through from now on."""
        self.active = False
        self.patches = {target: patch for target, patch in self.patches.items() if not patch.undo()}

    @guard
    def _patch_module(self, module: Any) -> None:
        wanted = [target for target in self.targets if target.module == module.__name__ and target not in self.patches]
        if self._supported is None:
            self._supported = self._is_supported()
        if not self.active or not wanted or not self._supported:
            return
        for target in wanted:
            if (patch := self._patch(target, module)) is not None:
                patch.apply()
                self.patches[target] = patch

    def _patch(self, target: Target, module: Any) -> Patch | None:
        owner = getattr(module, target.owner, None) if target.owner else module
        original = getattr(owner, target.name, None)
        if target.own_only and (owner is None or target.name not in vars(owner)):
            return None
        if target.unless and hasattr(owner, target.unless):
            return None
        if target.optional and original is None:
            return None
        if (
            owner is None
            or original is None
            or not set(target.parameters) <= set(inspect.signature(original).parameters)
        ):
            log.warning(
                "%s of %s %s; it is left alone, and the telemetry of calls that pass it lacks a part",
                ".".join(filter(None, target[:3])), self.distribution,
                "is missing" if original is None else "has another signature than expected",
            )  # fmt: skip
            return None
        return self._replacing(target, owner, original)

    def _replacing(self, target: Target, owner: Any, original: Any) -> Patch:
        return Patch(target, owner, original, functools.wraps(original)(target.wrap(original, self)))

    def meet(self, owner: type, name: str, wrap: Callable[[Callable[..., Any], Client], Callable[..., Any]]) -> None:
        """Patch a method of a class that is only known by an object of it; it is put back with the others."""
        target = Target(owner.__module__, owner.__qualname__, name, wrap)
        if not self.active or target in self.patches:
            return
        patch = self._replacing(target, owner, vars(owner)[name])
        patch.apply()
        if "<locals>" not in target.owner:  # a class of one call goes with it
            self.patches[target] = patch

    def _is_supported(self) -> bool:
        try:
            version = importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            log.warning("%s is imported but not installed; its calls are not instrumented", self.distribution)
            return False
        if self.supports(version):
            return True
        log.warning(
            "%s %s is outside the supported range %s; its calls are not instrumented",
            self.distribution, version, self.versions,
        )  # fmt: skip
        return False


class Instrumentor(BaseInstrumentor):  # type: ignore[misc]
    """The entry point of an adapter: `clients`, the libraries that it patches, are all that a subclass sets."""

    clients: ClassVar[tuple[Client, ...]]

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: the version is checked when the client is imported, because `opentelemetry-instrument` drops ours."""
        return ()

    @guard
    def _instrument(self, **kwargs: Any) -> None:
        telemetry = _telemetry.using(**{name: kwargs.get(name) for name in _PROVIDERS})
        for client in self.clients:
            client.install(telemetry)

    @guard
    def _uninstrument(self, **kwargs: Any) -> None:
        for client in self.clients:
            client.uninstall()


_PROVIDERS = ("tracer_provider", "meter_provider", "logger_provider")
