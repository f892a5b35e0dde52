"""The clients and frameworks whose source distribution carries their own unit tests, run without a network."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

CLIENTS = Path(__file__).resolve().parents[1] / "tests" / "clients"


class Source(NamedTuple):
    """The tests of a client.

    Attributes:
        distribution: The distribution that carries them.
        tests: Arguments of pytest for all tests.
        quick: Arguments of pytest for the tests that `make test` runs.
        packages: Folders whose `__init__.py` the source distribution lacks.
        stand_ins: Files that the source distribution lacks, with a text that is enough for the tests to be imported.
        asks_no_model: True if no test calls a model, so that no span of ours can be expected.
        is_installed: True if they are in the wheel; the arguments are then below site-packages.
        adapter: The entry point that observes it, if it is called otherwise than the suite.
    """

    distribution: str
    tests: tuple[str, ...] = ("tests",)
    quick: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    stand_ins: tuple[tuple[str, str], ...] = ()
    asks_no_model: bool = False
    is_installed: bool = False
    adapter: str = ""


def find_kept_versions(client: str) -> Path | None:
    """Return the file of newest versions that is kept for a client (ends.py), None if uv.lock has it.

    Its tests need what `suite.in` beside that file names.
    """
    kept = CLIENTS / client / f"{SOURCES[client].distribution}-newest.txt"
    return kept if kept.exists() else None


def _describe_stainless(distribution: str, *quick: str) -> Source:
    files = tuple(f"tests/{name}" for name in quick)
    return Source(distribution, ("tests", "--ignore=tests/api_resources"), files)


_OPENEVALS = ("-o", "addopts=--import-mode=importlib")  # its files are no package
_WITHOUT_TASKS = ("--deselect", "tests/tools/tool/test_argument_validation.py::TestTaskArgumentValidation")
# The markers of smolagents' tests that need torch, soundfile or a service.
_NEVER_RUN = """
import pytest

require_run_all = require_soundfile = require_torch = pytest.mark.skip(reason="not installed here")
"""


def _list_files(*names: str, folder: str = "tests") -> tuple[str, ...]:
    return tuple(f"{folder}/test_{name}.py" for name in names)


# `tests/api_resources` needs the mock server of the client's project: `peers.py` runs it where TEST_API_BASE_URL names
# one (without it 7,045 of openai's and 7,225 of anthropic's tests fail).
SOURCES = {
    "anthropic": _describe_stainless(
        "anthropic",
        *("test_client.py", "test_streaming.py", "test_response.py", "test_middleware.py"),
        *("lib/streaming", "lib/_parse"),
    ),
    "autoevals": Source("autoevals", ("py/autoevals",), ("py/autoevals",)),
    "autogen": Source("autogen-agentchat", quick=("tests/test_assistant_agent.py", "tests/test_group_chat.py")),
    "bedrock": Source(
        "botocore",
        (
            *("tests/unit/test_client.py", "tests/unit/test_eventstream.py", "tests/unit/test_hooks.py"),
            *("tests/unit/test_handlers.py", "tests/unit/test_stub.py", "tests/unit/retries", "tests/unit/auth"),
            *("tests/functional/test_bedrock_runtime.py", "tests/functional/test_client.py"),
            *("tests/functional/test_events.py", "tests/functional/test_retry.py", "tests/functional/retries"),
            *("tests/functional/test_history.py", "tests/functional/test_stub.py", "tests/functional/test_session.py"),
        ),
        asks_no_model=True,
    ),
    # To prepare its source distribution takes a compiler of Rust, and the network. The quick list queries nothing.
    "chromadb": Source(
        "chromadb",
        tuple(
            f"chromadb/test/{name}"
            for name in ("api", "client", "configurations", "ef", "test_api.py", "test_chroma.py", "test_client.py")
        ),
        ("chromadb/test/test_client.py", "chromadb/test/api/test_collection.py", "chromadb/test/api/test_schema.py"),
        asks_no_model=True,
        is_installed=True,
    ),
    "claude_agent_sdk": Source(
        "claude-agent-sdk",
        _list_files(
            *("client", "client_app", "close_cancellation", "integration", "message_parser", "query"),
            *("run_end_subprocess", "sdk_mcp_integration", "streaming_client", "tool_callbacks", "transport"),
        ),
        _list_files("client", "query", "sdk_mcp_integration"),
    ),
    # Most others replay calls of providers by a conftest.py that the source distribution lacks.
    "crewai": Source(
        "crewai",
        (
            *("tests/agents", "tests/crew", "tests/hooks", "tests/task", "tests/tools"),
            *_list_files("callback", "crew", "crew_thread_safety", "flow", "flow_turns", "streaming", "task"),
        ),
        (
            *_list_files("async_tools", "base_tool", "structured_tool", folder="tests/tools"),
            *_list_files("tool_failure", "tool_usage", folder="tests/tools"),
            *("tests/crew", "tests/test_crew_thread_safety.py"),
            "tests/agents/test_agent_kickoff_message_history.py",
        ),
    ),
    # The tests of task arguments import a package that is not published in this version; after the first failure the
    # next import passes, so that they depend on one another.
    "fastmcp": Source(
        "fastmcp",
        (*_WITHOUT_TASKS, "tests/client", "tests/server", "tests/telemetry", "tests/tools"),
        (*_WITHOUT_TASKS, "tests/client/telemetry", "tests/server/telemetry", "tests/telemetry", "tests/tools/tool"),
    ),
    "fireworks": _describe_stainless("fireworks-ai"),
    # The others replay calls of Google's own, which the source distribution lacks.
    "google_genai": Source(
        "google-genai",
        (
            *(
                "-o",
                "consider_namespace_packages=true",
            ),  # else the tests get a package `genai`, which nobody else imports
            *(f"google/genai/tests/{name}" for name in ("afc", "chats", "client", "errors", "gaos", "interactions")),
        ),
    ),
    "groq": _describe_stainless("groq"),
    "huggingface_hub": Source(
        "huggingface-hub",
        (
            *("-o", "addopts="),
            *("tests/test_inference_client.py", "tests/test_inference_async_client.py"),
            *("tests/test_inference_providers.py", "tests/test_inference_text_generation.py"),
            *("tests/test_inference_types.py", "tests/test_utils_http.py"),
        ),
        packages=("tests",),
        asks_no_model=True,
    ),
    # Its other tests ask providers, or run its documents.
    "instructor": Source(
        "instructor",
        ("tests/cache", "tests/core", "tests/coverage", "tests/dsl", "tests/processing", "tests/v2"),
        (
            *("tests/core", "tests/coverage/test_core_patch_retry_coverage.py"),
            *_list_files("async_validators_execution", "client_unified", "iterable_streaming", folder="tests/v2"),
            *_list_files("openai_streaming", "retry_budget", "retry_runtime", folder="tests/v2"),
        ),
        asks_no_model=True,
    ),
    "langchain": Source(
        "langchain",
        ("-o", "addopts=", "tests/unit_tests/agents"),
        (
            *("-o", "addopts=", "tests/unit_tests/agents/middleware/core"),
            *_list_files("react_agent", "agent_name", "subagent_streaming", folder="tests/unit_tests/agents"),
        ),
        adapter="langgraph",
    ),
    # The others compare schemas and serialised objects, which we do not touch.
    "langchain_core": Source(
        "langchain-core",
        (
            *("-o", "addopts="),
            *(f"tests/unit_tests/{name}" for name in ("callbacks", "language_models", "runnables", "tracers")),
            *(f"tests/unit_tests/{name}" for name in ("test_retrievers.py", "test_tools.py")),
        ),
        ("-o", "addopts=", "tests/unit_tests/callbacks", "tests/unit_tests/test_tools.py"),
    ),
    "langgraph": Source(
        "langgraph",
        ("-o", "addopts=", "tests", "--ignore=tests/test_remote_graph.py", "--ignore=tests/test_remote_graph_v3.py"),
        (
            *("-o", "addopts="),
            *_list_files("graph_callbacks", "interrupt_state", "interruption", "parent_command", "runnable", "runtime"),
            *_list_files("state", "tracing_interops"),
        ),
    ),
    "langsmith": Source(
        "langsmith", ("-o", "addopts=", "tests/unit_tests/evaluation", "tests/unit_tests/test_beta_evals.py")
    ),
    "mcp": Source(
        "mcp",
        ("-o", "addopts=", "-p", "anyio", *(f"tests/{name}" for name in ("client", "issues", "server", "shared"))),
        (
            *("-o", "addopts=", "-p", "anyio", "tests/server/test_otel.py", "tests/server/lowlevel"),
            *("tests/client/test_client.py", "tests/client/test_session.py", "tests/client/test_session_group.py"),
        ),
    ),
    "mistralai": Source("mistralai", ("src/mistralai/extra/tests",)),
    "ollama": Source("ollama", quick=("tests/test_client.py",)),
    "openai": _describe_stainless(
        "openai",
        *("test_client.py", "test_streaming.py", "test_response.py", "test_legacy_response.py"),
        *("lib/chat", "lib/responses"),
    ),
    "openai_agents": Source(
        "openai-agents",
        ("-o", "addopts=", "tests", "--ignore=tests/sandbox", "--ignore=tests/extensions", "--ignore=tests/docs"),
        (
            *("-o", "addopts="),
            *_list_files("agent_as_tool", "agent_hooks", "agent_tracing", "cancel_streaming"),
            *_list_files("function_tool", "guardrails", "max_turns", "tracing"),
        ),
    ),
    # The others ask a model.
    "openevals": Source(
        "openevals",
        (*_OPENEVALS, *_list_files("exact", "json", "json_async", "levenshtein", "llm", "multimodal")),
        (*_OPENEVALS, *_list_files("exact", "json", "json_async", "levenshtein")),
    ),
    "openrouter": Source("openrouter", asks_no_model=True),
    "ragas": Source(
        "ragas",
        ("-o", "addopts=", "tests/unit"),
        ("-o", "addopts=", *_list_files("metric", "experiment", "async_evaluation", folder="tests/unit")),
    ),
    # The others need a running Redis, those of searches one with the module that searches.
    "redis": Source(
        "redis",
        ("-o", "addopts=", "-m", "fixed_client", "tests", "--ignore=tests/test_scenario"),
        ("-o", "addopts=", "-m", "fixed_client", *_list_files("search", "search_result", "search_aggregation")),
        asks_no_model=True,
    ),
    # The others need services, or extras that do not go with what is locked: mcpadapt has no version for mcp 2.
    "smolagents": Source(
        "smolagents",
        (
            *("-o", "addopts="),
            *_list_files("agents", "default_tools", "final_answer", "function_type_hints_utils", "memory", "models"),
            *_list_files("local_python_executor", "monitoring", "serialization", "tool_validation", "tools", "utils"),
        ),
        ("-o", "addopts=", *_list_files("agents", "default_tools", "final_answer", "memory", "monitoring", "tools")),
        packages=("tests",),
        stand_ins=(("tests/utils/__init__.py", ""), ("tests/utils/markers.py", _NEVER_RUN)),
    ),
    "strands": Source(
        "strands-agents",
        (
            *("-o", "addopts="),
            *(f"tests/strands/{name}" for name in ("agent", "event_loop", "hooks", "multiagent", "telemetry", "tools")),
        ),
        (
            *("-o", "addopts=", "tests/strands/event_loop", "tests/strands/multiagent"),
            *_list_files("agent", "agent_as_tool", "agent_cancellation", folder="tests/strands/agent"),
            *_list_files("agent_hooks", "agent_limits", "agent_retry", folder="tests/strands/agent"),
        ),
    ),
    "together": _describe_stainless("together"),
    "turbopuffer": Source(
        "turbopuffer",
        ("-o", "addopts=", "tests", "--ignore=tests/api_resources"),
        ("-o", "addopts=", *_list_files("client", "response", "streaming"), "tests/custom"),
    ),
    "writer": _describe_stainless("writer-sdk"),
    "xai": Source("xai-sdk", ("tests", "-o", "python_files=*_test.py")),
}

# Adapters without a suite, and what their source distributions have instead of tests that could be run.
WITHOUT_TESTS = {
    **dict.fromkeys(
        ("cohere", "litellm", "watsonx", "agent_framework", "pydantic_ai", "google_adk", "llama_index"),
        "its source distribution has none",
    ),
    **dict.fromkeys(
        ("deepeval", "elasticsearch", "opensearchpy", "pinecone", "pydantic_evals", "pymilvus", "qdrant_client"),
        "its source distribution has none",
    ),
    **dict.fromkeys(("inspect_ai", "mlflow"), "its source distribution has only those of tools beside the scorers"),
    "pgvector": "psycopg's source distribution has none, and those of asyncpg know no vectors",
    "dspy": "its source distribution has only those of the code that it vendors",
    **dict.fromkeys(("faiss", "lancedb", "weaviate"), "it has no source distribution"),
    "phoenix_evals": "its source distribution has only those of its clients of models, none of an evaluator",
}

# These tests say that the span of the client itself lacks an attribute, or that it is the only span. They must fail
# with us: we enrich that span, and if it is off or sampled out the call gets a span of ours. None tests an answer.
OF_ITS_SPAN = {
    "anthropic": {
        f"tests/test_open_telemetry.py::{name}"
        for name in (
            "TestCallSpans::test_async_sampling_fields_that_the_sdk_does_not_model_have_no_attribute",
            "TestCallSpans::test_async_stream_without_a_content_block_delta_has_no_time_to_first_chunk",
            "TestCallSpans::test_output_type_is_json_when_the_request_sets_a_json_output_format",
            "TestCallSpans::test_sampling_fields_that_the_sdk_does_not_model_have_no_attribute",
            "TestCallSpans::test_stop_reason_is_the_one_in_the_response",
            "TestCallSpans::test_stream_closed_early",
            "TestCallSpans::test_stream_without_a_content_block_delta_has_no_time_to_first_chunk",
            "TestCallSpans::test_unary_attributes",
            "TestPropagationOption::test_false_keeps_a_span_that_the_sampler_dropped_current_for_the_requests",
            "TestTracingFailures::test_disabled_spans_call_nothing_of_opentelemetry",
        )
    }
    | {
        f"tests/lib/tools/test_open_telemetry.py::TestToolRunnerSpans::{name}"
        for name in (
            "test_canceling_a_tool_run_leaves_its_span_and_the_tool_runner_span_unset",
            "test_tool_runner_and_tool_spans",
        )
    },
    "fastmcp": {
        "tests/server/telemetry/test_server_tracing.py::"
        "TestTelemetryEnabledByDefault::test_off_switch_suppresses_spans_via_client",
        "tests/telemetry/test_interop.py::TestEndToEnd::test_propagation_only_parents_downstream_user_spans",
    },
    "strands": {
        "tests/strands/tools/mcp/test_mcp_instrumentation_v2.py::"
        "test_tool_call_trace_is_continuous_across_the_boundary",
    },
}

# These tests break OpenTelemetry itself, on purpose: the guard must swallow those failures.
BREAKS_OPENTELEMETRY = "tests/test_open_telemetry.py::TestTracingFailures"
