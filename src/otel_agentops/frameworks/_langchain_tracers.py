"""The other instrumentations of LangChain that are active: each adds a handler to every run."""

from __future__ import annotations

from otel_agentops._wrapping import list_wrapper_modules

OFFICIAL = "opentelemetry.instrumentation.genai.langchain"
OPENLLMETRY = "opentelemetry.instrumentation.langchain"
OPENINFERENCE = "openinference.instrumentation.langchain"
_PACKAGES = (OFFICIAL, OPENLLMETRY, OPENINFERENCE)


def find_tracers() -> set[str]:
    """Return the packages that make spans of LangChain's runs: all of them wrap the same constructor."""
    from langchain_core.callbacks import BaseCallbackManager

    modules = list(list_wrapper_modules(vars(BaseCallbackManager)["__init__"]))
    return {package for package in _PACKAGES for module in modules if f"{module}.".startswith(f"{package}.")}
