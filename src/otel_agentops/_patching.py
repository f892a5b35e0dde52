"""Libraries as data: where each is patched as soon as it is imported, and how everything is put back.

An adapter is `Target`s in a `PatchedLibrary`, and an `Instrumentor` as its entry point.
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import weakref
from collections.abc import Callable, Collection, Iterable
from types import ModuleType
from typing import Any, ClassVar, NamedTuple, TypeAlias

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion

from otel_agentops import _telemetry
from otel_agentops._entry_points import PROVIDERS, waiting
from otel_agentops._foreign_spans import ForeignSpans, register_foreign_spans
from otel_agentops._guard import guard, log
from otel_agentops._telemetry import Telemetry

Method: TypeAlias = "Callable[..., Any]"
# The original function to its replacement, which calls it unless `PatchedLibrary.active` is off.
Wrap: TypeAlias = "Callable[[Method, PatchedLibrary], Method]"


class Target(NamedTuple):
    """A place to patch.

    Attributes:
        module: The module, by its full name.
        owner: The class in the module; empty for a function of the module itself.
        name: The method or function.
        wrap: Makes the replacement.
        parameters: Names that the original's signature must have; if one is missing the target is left alone.
        own_only: Patch only if the class itself defines the name, e.g. because somebody patched it there before us.
        superseded_by: A name of newer versions that is patched instead; if the class has it, this is left out.
        optional: Some of the supported versions do not have it, and no warning is due.
    """

    module: str
    owner: str
    name: str
    wrap: Wrap
    parameters: tuple[str, ...] = ()
    own_only: bool = False
    superseded_by: str = ""
    optional: bool = False

    @property
    def is_in_every_version(self) -> bool:
        """Return True if every supported version has it."""
        return not self.own_only and not self.superseded_by and not self.optional


class Patch:
    """One replaced attribute of a class or module, and how to put the original back."""

    def __init__(self, target: Target, owner: Any, original: Any, replacement: Any) -> None:
        self.target = target
        self.owner = owner
        self.is_inherited = target.name not in vars(owner)
        self.original = original
        self.replacement = replacement

    def apply(self) -> None:
        """Put the replacement in place."""
        setattr(self.owner, self.target.name, self.replacement)

    def undo(self) -> bool:
        """Put the original back; return False, and do nothing, if somebody else has wrapped ours meanwhile."""
        name = self.target.name
        # A class may keep what is set on it somewhere else: then reading gives it back.
        if vars(self.owner).get(name, getattr(self.owner, name, None)) is not self.replacement:
            return False
        if self.is_inherited:
            delattr(self.owner, self.target.name)
        else:
            setattr(self.owner, self.target.name, self.original)
        return True


class NativeTracing(NamedTuple):
    """A client's own tracing, on by default.

    Attributes:
        versions: The versions that have it, as PEP 440 has it.
        variable: The environment variable that controls it.
        off: The value that turns it off.
    """

    versions: str
    variable: str
    off: str


class ClientInfo(NamedTuple):
    """Facts of a client for the README's table, for `doctor` and for coexistence; texts are clauses.

    Attributes:
        operations: What is observed, e.g. "chat", "embeddings".
        native: The client's own tracing and what we do beside it; None if it has none.
        not_covered: What the client can do that passes unobserved, with the reason if it is not plain.
        one_line: What a line of the application adds.
        unknown: What is observed, of which nobody tells this.
        peers: Distributions that instrument the client as well.
        tracing: How its own tracing is turned off, if it is on by default.
        foreign_spans: How the spans of its other instrumentations are recognised.
    """

    operations: tuple[str, ...] = ()
    native: str | None = None
    not_covered: tuple[str, ...] = ()
    one_line: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    tracing: NativeTracing | None = None
    foreign_spans: ForeignSpans = ForeignSpans()


NO_INFO = ClientInfo()


def matches_range(versions: str, version: str) -> bool:
    """Return True if `version`, pre-releases included, matches the specifier; False if it does not parse."""
    try:
        return SpecifierSet(versions, prereleases=True).contains(version)
    except InvalidVersion:  # packaging before 26
        return False


def walk_subclasses(owner: type) -> Iterable[type]:
    """Yield the classes below a class, each once."""
    pending: list[type] = list(owner.__subclasses__())
    seen: set[type] = set()
    while pending:
        one = pending.pop()
        if one not in seen:
            seen.add(one)
            pending += one.__subclasses__()
            yield one


def watch_subclasses(find_base: Callable[[], type | None], patch: Callable[[PatchedLibrary, type], object]) -> Wrap:
    """Return the wrapper of an `__init_subclass__` that patches the classes below a base, also those made later.

    Args:
        find_base: Return the base class; None as long as its library is being imported.
        patch: Patch one class.
    """

    def wrap(original: Method, library: PatchedLibrary) -> Method:
        if (base := find_base()) is not None:
            for each in walk_subclasses(base):
                patch(library, each)

        def init_subclass(cls: type, **kwargs: object) -> None:
            original(cls, **kwargs)
            if library.active and (base := find_base()) is not None and issubclass(cls, base):
                patch(library, cls)

        return init_subclass

    return wrap


_replacements: weakref.WeakSet[Method] = weakref.WeakSet()


def _holds_ours(function: object) -> bool:
    """Return True if somebody's wrapper kept one of ours from before an uninstall, which observes again by now."""
    while function is not None:
        if getattr(function, "__func__", function) in _replacements:
            return True
        function = getattr(function, "__wrapped__", None)
    return False


class PatchedLibrary:
    """One library: its targets, and the telemetry that its calls go to while it is active.

    Args:
        distribution: Its name on PyPI.
        versions: The supported range as PEP 440 has it, `>=oldest,<next`; both ends are tested.
        targets: Where it is patched.
        info: Facts for people.
    """

    def __init__(self, distribution: str, versions: str, targets: Iterable[Target], info: ClientInfo = NO_INFO) -> None:
        self.info = info
        self.distribution = distribution
        self.versions = versions
        self.targets = tuple(targets)
        self.active = False
        self.telemetry: Telemetry | None = None
        self.patches: dict[Target, Patch] = {}
        self._is_supported: bool | None = None  # None until a module of the library is imported
        register_foreign_spans(info.foreign_spans)

    def supports(self, version: str) -> bool:
        """Return True if a version is in the range."""
        return matches_range(self.versions, version)

    def install(self, telemetry: Telemetry) -> None:
        """Patch now if the library is imported, else as soon as it is; nothing is imported for it."""
        self.telemetry = telemetry
        self.active = True
        self._is_supported = None
        for module in dict.fromkeys(target.module for target in self.targets):
            wrapt.register_post_import_hook(functools.partial(self._patch_module, module), module)

    def uninstall(self) -> None:
        """Put back every original that is still ours to put back; the rest passes calls through from now on."""
        self.active = False
        self.patches = {target: patch for target, patch in self.patches.items() if not patch.undo()}

    def patch_class(self, owner: type, name: str, wrap: Wrap) -> None:
        """Patch a method of a class that is only known by an object of it; it is put back with the others."""
        target = Target(owner.__module__, owner.__qualname__, name, wrap)
        if not self.active or target in self.patches:
            return
        patch = self._make_patch(target, owner, vars(owner)[name])
        patch.apply()
        if "<locals>" not in target.owner:  # a class of one call goes with it
            self.patches[target] = patch

    @guard
    def _patch_module(self, name: str, module: ModuleType) -> None:
        # CrewAI gives some of its modules the `__name__` of another.
        targets = [target for target in self.targets if target.module == name and target not in self.patches]
        if self._is_supported is None:
            self._is_supported = self._check_version()
        if not self.active or not targets or not self._is_supported:
            return
        for target in targets:
            if (patch := self._find_and_wrap(target, module)) is not None:
                patch.apply()
                self.patches[target] = patch

    def _find_and_wrap(self, target: Target, module: ModuleType) -> Patch | None:
        owner = getattr(module, target.owner, None) if target.owner else module
        original = getattr(owner, target.name, None)
        if target.own_only and (owner is None or target.name not in vars(owner) or _holds_ours(original)):
            return None
        if target.superseded_by and hasattr(owner, target.superseded_by):
            return None
        if target.optional and original is None:
            return None
        if (
            owner is None
            or original is None
            or (target.parameters and not set(target.parameters) <= set(inspect.signature(original).parameters))
        ):
            log.warning(
                "%s of %s %s; it is left alone, and the telemetry of calls that pass it lacks a part",
                ".".join(filter(None, target[:3])), self.distribution,
                "is missing" if original is None else "has another signature than expected",
            )  # fmt: skip
            return None
        return self._make_patch(target, owner, original)

    def _make_patch(self, target: Target, owner: Any, original: Method) -> Patch:
        raw = vars(owner).get(target.name)
        if raw is None and target.name == "__init_subclass__":
            raw = classmethod(lambda cls, **kwargs: super(owner, cls).__init_subclass__(**kwargs))
        if isinstance(raw, classmethod):  # read from its class it is bound to that, and a subclass would get it so
            function = raw.__func__
            return Patch(target, owner, raw, classmethod(functools.wraps(function)(target.wrap(function, self))))
        replacement = functools.wraps(original)(target.wrap(original, self))
        _replacements.add(replacement)
        return Patch(target, owner, original, replacement)

    def _check_version(self) -> bool:
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
    """The entry point of an adapter: `libraries`, the libraries that it patches, are all that a subclass sets."""

    libraries: ClassVar[tuple[PatchedLibrary, ...]]

    def __init_subclass__(cls) -> None:
        # The adapter is being imported: its entry point may have been waiting for that since the program started.
        super().__init_subclass__()
        if (providers := waiting.pop(cls.__module__, None)) is not None:
            cls().instrument(skip_dep_check=True, **providers)

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return nothing: the version is checked at import, because `opentelemetry-instrument` drops ours."""
        return ()

    @guard
    def _instrument(self, **kwargs: Any) -> None:
        telemetry = _telemetry.install(**{name: kwargs.get(name) for name in PROVIDERS})
        for library in self.libraries:
            library.install(telemetry)

    @guard
    def _uninstrument(self, **kwargs: Any) -> None:
        for library in self.libraries:
            library.uninstall()
