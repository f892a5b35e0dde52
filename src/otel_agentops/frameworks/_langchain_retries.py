"""Parsers of LangChain that have a model asked again, because they could make nothing of its answer.

A chain `with_retry` runs as a whole again, a parser of `langchain-classic` asks a chain of its own:
https://github.com/langchain-ai/langchain/blob/master/libs/core/langchain_core/runnables/retry.py
https://github.com/langchain-ai/langchain/tree/master/libs/langchain/langchain_classic/output_parsers
"""

from __future__ import annotations

from otel_agentops._context import current_scope
from otel_agentops._patching import PatchedLibrary, Target
from otel_agentops._retries import INVALID_OUTPUT, MODEL, StepRetry
from otel_agentops._wrapping import Arguments, Around, Keywords, wrap_call, wrap_step
from otel_agentops.frameworks._retried_steps import RetriedStep


def _begin_chain(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> RetriedStep | None:
    """Enter a chain that is run again if it fails; a step around it that is done again says so for all of it."""
    scope = current_scope()
    if not library.active or scope.task is None or scope.step_retry is not None:
        return None
    return RetriedStep(scope, StepRetry(MODEL))


def _begin_parser(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> StepRetry | None:
    step = current_scope().step_retry
    return step if library.active and step is not None and step.level == MODEL else None


def _see_refusal(step: StepRetry, error: BaseException, args: Arguments, kwargs: Keywords) -> None:
    """Expect that the chain asks again, if its parser refused an answer; a validation error is a `ValueError` too."""
    if isinstance(error, ValueError):
        step.cause = INVALID_OUTPUT


def _begin_repair(library: PatchedLibrary, args: Arguments, kwargs: Keywords) -> RetriedStep | None:
    """Enter a parser whose only calls of a model are those that ask for a better answer."""
    scope = current_scope()
    if not library.active or scope.task is None:
        return None
    return RetriedStep(scope, StepRetry(MODEL, INVALID_OUTPUT))


_CHAIN = ("langchain_core.runnables.retry", "RunnableRetry")
_PARSERS = "langchain_core.output_parsers.base"
_PARSER = Around(_begin_parser, failed=_see_refusal)
_FIX = ("langchain_classic.output_parsers.fix", "OutputFixingParser")
_RETRY = "langchain_classic.output_parsers.retry"
TARGETS = (
    Target(*_CHAIN, "_invoke", wrap_call(Around(_begin_chain))),
    Target(*_CHAIN, "_ainvoke", wrap_call(Around(_begin_chain), is_async=True)),
    *(
        target
        for parser in ("BaseOutputParser", "BaseGenerationOutputParser")
        for target in (
            Target(_PARSERS, parser, "invoke", wrap_step(_PARSER)),
            Target(_PARSERS, parser, "ainvoke", wrap_step(_PARSER, is_async=True)),
        )
    ),
    Target(*_FIX, "parse", wrap_call(Around(_begin_repair)), optional=True),
    Target(*_FIX, "aparse", wrap_call(Around(_begin_repair), is_async=True), optional=True),
    *(
        target
        for parser in ("RetryOutputParser", "RetryWithErrorOutputParser")
        for target in (
            Target(_RETRY, parser, "parse_with_prompt", wrap_call(Around(_begin_repair)), optional=True),
            Target(
                _RETRY, parser, "aparse_with_prompt", wrap_call(Around(_begin_repair), is_async=True), optional=True
            ),
        )
    ),
)
