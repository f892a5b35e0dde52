"""Cohere: chat, embeddings and reranking in both versions of its API, on its own service and in the clouds.

Patched are the raw clients, the HTTP client below them (`_families/fern.py`), and `embed` of version 1:
https://github.com/cohere-ai/cohere-python/blob/main/src/cohere/v2/raw_client.py
https://github.com/cohere-ai/cohere-python/blob/main/src/cohere/raw_base_client.py
https://github.com/cohere-ai/cohere-python/blob/main/src/cohere/client.py
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import copy_context
from typing import Any

from otel_agentops import _patching
from otel_agentops._foreign_spans import ForeignSpans
from otel_agentops._patching import ClientInfo, Method, PatchedLibrary, Target
from otel_agentops.clients._families import fern
from otel_agentops.clients._families.fern import ClientWrapper
from otel_agentops.clients._protocols.cohere import CHAT, EMBED, RERANK, V1_CHAT
from otel_agentops.clients._servers import Server, parse_address


def describe_server(client: ClientWrapper) -> Server:
    """Return the server of a client: Cohere's own, or that of a cloud.

    The client of a cloud is the same one with a hook that rewrites each request.
    """
    for hook in client.httpx_client.httpx_client.event_hooks["request"]:
        if (describe := _CLOUDS.get(getattr(hook, "__module__", ""))) is not None:
            variables = inspect.getclosurevars(hook)
            return describe(variables.globals, variables.nonlocals)
    return Server("cohere", parse_address(client.get_base_url()))


def _describe_aws(module: Mapping[str, Any], settings: Mapping[str, Any]) -> Server:
    service = settings["service"]  # bedrock or sagemaker
    url = module["get_url"](platform=service, aws_region=settings["aws_region"], model="", stream=False)
    return Server(f"aws.{service}", parse_address(url))


def _describe_oci(module: Mapping[str, Any], settings: Mapping[str, Any]) -> Server:
    return Server("oci", parse_address(module["get_oci_url"](region=settings["oci_region"], endpoint="chat")))


class _ContextCarrier:
    """A client of v1 as its `embed` sees it: the threads that its batches run on are in the context of the call.

    Otherwise the spans of the batches would have no parent, and spans that others started for the call could not be
    found.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def map(self, send: Callable[[Any], Any], batches: Iterable[Any]) -> Iterator[Any]:
        """Run a function on every batch, as the client's own executor does."""
        context = copy_context()
        results: Iterator[Any] = self._client._executor.map(lambda batch: context.copy().run(send, batch), batches)
        return results


def _wrap_embed(original: Method, library: PatchedLibrary) -> Method:
    def embed(client: object, *args: object, **kwargs: object) -> object:
        return original(_ContextCarrier(client) if library.active else client, *args, **kwargs)

    return embed


_CLOUDS = {"cohere.aws_client": _describe_aws, "cohere.oci_client": _describe_oci}
_METHODS = {"embed": EMBED, "rerank": RERANK}
LIBRARY = PatchedLibrary(
    "cohere",
    ">=5.16,<8",
    [
        Target("cohere.client", "Client", "embed", _wrap_embed),
        *fern.make_targets(
            "cohere",
            {
                ("v2.raw_client", "RawV2Client"): {"chat": CHAT, "chat_stream": CHAT, **_METHODS},
                ("raw_base_client", "RawBaseCohere"): {"chat": V1_CHAT, "chat_stream": V1_CHAT, **_METHODS},
            },
            describe_server,
        ),
    ],
    ClientInfo(
        operations=("chat", "embeddings", "retrieval (rerank)", "API v1 and v2", "Bedrock, SageMaker, OCI"),
        not_covered=(
            "generate, summarize, classify, parse, tokenize, embed jobs, fine-tuning",
            "`embed` of v1 sends long lists in batches: one span a batch",
        ),
        peers=("opentelemetry-instrumentation-cohere", "openinference-instrumentation-cohere"),
        foreign_spans=ForeignSpans(
            # OpenInference says the kind of these spans when they end.
            operations_by_name={"ClientV2.rerank": "retrieval", "AsyncClientV2.rerank": "retrieval"}
        ),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_cohere`."""

    libraries = (LIBRARY,)


CohereInstrumentor = Instrumentor  # the name that others give theirs
