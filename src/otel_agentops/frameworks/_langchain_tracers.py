"""The other instrumentations of LangChain that are active: each adds a handler to every run."""

from __future__ import annotations

OFFICIAL = "opentelemetry.instrumentation.genai.langchain"
OPENLLMETRY = "opentelemetry.instrumentation.langchain"
OPENINFERENCE = "openinference.instrumentation.langchain"
_PACKAGES = (OFFICIAL, OPENLLMETRY, OPENINFERENCE)


def find_tracers() -> set[str]:
    """Return the packages that make spans of LangChain's runs: all of them wrap the same constructor."""
    from langchain_core.callbacks import BaseCallbackManager

    packages: set[str] = set()
    constructor = vars(BaseCallbackManager)["__init__"]
    while wrapped := getattr(constructor, "__wrapped__", None):
        module = type(getattr(constructor, "_self_wrapper", None)).__module__
        packages.update(package for package in _PACKAGES if module == package or module.startswith(f"{package}."))
        constructor = wrapped
    return packages
