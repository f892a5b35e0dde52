"""Wrappers around an SDK's methods: before and after are written once, for a sync and an async driver.

The original call is the only unguarded line of a driver: whatever fails before or after it, the application gets what
the SDK gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic

from typing_extensions import NamedTuple, TypeVar

from otel_agentops._client_call import UNOBSERVED, ClientCall
from otel_agentops._guard import guard_step
from otel_agentops._patching import Method, PatchedLibrary, Wrap

Arguments = tuple[Any, ...]
Keywords = dict[str, Any]
Subject = TypeVar("Subject", default=ClientCall)  # a call, or whatever else an adapter begins


class Around(NamedTuple, Generic[Subject]):
    """The steps around one call of a method.

    Attributes:
        begin: Library, positional and keyword arguments to the call, or another block, that the method is or that it is
            a step of; a context manager to run it unobserved; None to leave it alone.
        returned: Call, result, positional and keyword arguments to a replacement for the result; None keeps it.
        failed: Call, exception, positional and keyword arguments; the exception goes on to the application.
        entered: Call, positional and keyword arguments of a whole call that is active now, before the method runs.
    """

    begin: Callable[[PatchedLibrary, Arguments, Keywords], Any]
    returned: Callable[[Subject, Any, Arguments, Keywords], Any] | None = None
    failed: Callable[[Subject, BaseException, Arguments, Keywords], object] | None = None
    entered: Callable[[Subject, Arguments, Keywords], object] | None = None


def wrap_call(around: Around[Any], *, is_async: bool = False) -> Wrap:
    """Return the wrapper of a method that is a whole call: the call is active while the method runs."""
    begin, returned, failed = _guard_all(around)
    entered = None if around.entered is None else guard_step(3)(around.entered)

    def wrap(original: Method, library: PatchedLibrary) -> Method:
        def method(*args: Any, **kwargs: Any) -> Any:
            with begin(library, args, kwargs) or UNOBSERVED as call:
                if entered is not None and call is not None:
                    entered(call, args, kwargs)
                try:
                    result = original(*args, **kwargs)
                except BaseException as error:
                    if call is not None:
                        failed(call, error, args, kwargs)
                    raise
                replacement = None if call is None else returned(call, result, args, kwargs)
            return result if replacement is None else replacement

        async def async_method(*args: Any, **kwargs: Any) -> Any:
            with begin(library, args, kwargs) or UNOBSERVED as call:
                if entered is not None and call is not None:
                    entered(call, args, kwargs)
                try:
                    result = await original(*args, **kwargs)
                except BaseException as error:
                    if call is not None:
                        failed(call, error, args, kwargs)
                    raise
                replacement = None if call is None else returned(call, result, args, kwargs)
            return result if replacement is None else replacement

        return async_method if is_async else method

    return wrap


def wrap_step(around: Around[Any], *, is_async: bool = False) -> Wrap:
    """Return the wrapper of a method that is a step inside a call, or that is used after it."""
    begin, returned, failed = _guard_all(around)

    def wrap(original: Method, library: PatchedLibrary) -> Method:
        def method(*args: Any, **kwargs: Any) -> Any:
            call = begin(library, args, kwargs)
            if call is None:
                return original(*args, **kwargs)
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                failed(call, error, args, kwargs)
                raise
            replacement = returned(call, result, args, kwargs)
            return result if replacement is None else replacement

        async def async_method(*args: Any, **kwargs: Any) -> Any:
            call = begin(library, args, kwargs)
            if call is None:
                return await original(*args, **kwargs)
            try:
                result = await original(*args, **kwargs)
            except BaseException as error:
                failed(call, error, args, kwargs)
                raise
            replacement = returned(call, result, args, kwargs)
            return result if replacement is None else replacement

        return async_method if is_async else method

    return wrap


def list_wrapper_modules(function: object) -> Iterator[str]:
    """Yield the modules of the wrappers that others put around a function by wrapt, the outermost first."""
    while (wrapped := getattr(function, "__wrapped__", None)) is not None:
        if (wrapper := getattr(function, "_self_wrapper", None)) is not None:
            yield type(wrapper).__module__
        function = wrapped


def _guard_all(around: Around[Any]) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    returned, failed = around.returned or _do_nothing, around.failed or _do_nothing
    return guard_step(3)(around.begin), guard_step(4)(returned), guard_step(4)(failed)


def _do_nothing(*args: object) -> None:
    """Leave the result, or the exception, as it is."""
