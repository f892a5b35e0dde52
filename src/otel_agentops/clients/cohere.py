"""Cohere: chat, embeddings and reranking in both versions of its API, on its own service and in the clouds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import copy_context
from typing import Any

from otel_agentops import _patching
from otel_agentops._patching import ClientInfo, PatchedLibrary, Target
from otel_agentops.clients._families import fern
from otel_agentops.clients._protocols.cohere import CHAT, EMBED, OLD_CHAT, RERANK
from otel_agentops.clients._servers import Server, parse_address


def server(wrapper: Any) -> Server:
    """Cohere's service, or a cloud: its client is the same one with a hook that rewrites each request."""
    for hook in wrapper.httpx_client.httpx_client.event_hooks["request"]:
        if (cloud := _CLOUDS.get(getattr(hook, "__module__", ""))) is not None:
            held = inspect.getclosurevars(hook)
            return cloud(held.globals, held.nonlocals)
    return Server("cohere", parse_address(wrapper.get_base_url()))


def _aws(module: Mapping[str, Any], held: Mapping[str, Any]) -> Server:
    service = held["service"]  # bedrock or sagemaker
    url = module["get_url"](platform=service, aws_region=held["aws_region"], model="", stream=False)
    return Server(f"aws.{service}", parse_address(url))


def _oci(module: Mapping[str, Any], held: Mapping[str, Any]) -> Server:
    return Server("oci", parse_address(module["get_oci_url"](region=held["oci_region"], endpoint="chat")))


class _Carrying:
    """A client of v1 as its `embed` sees it: the threads that its batches run on are in the context of the call.

    Else their spans would belong to nothing, and what others made of the call could not be found.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def map(self, run: Callable[[Any], Any], batches: Iterable[Any]) -> Iterator[Any]:
        here = copy_context()
        results: Iterator[Any] = self._client._executor.map(lambda batch: here.copy().run(run, batch), batches)
        return results


def _embed(original: Callable[..., Any], patched: PatchedLibrary) -> Callable[..., Any]:
    def embed(client: Any, *args: Any, **kwargs: Any) -> Any:
        return original(_Carrying(client) if patched.active else client, *args, **kwargs)

    return embed


_CLOUDS = {"cohere.aws_client": _aws, "cohere.oci_client": _oci}
_METHODS = {"embed": EMBED, "rerank": RERANK}
LIBRARY = PatchedLibrary(
    "cohere",
    ">=5.16,<8",
    [
        Target("cohere.client", "Client", "embed", _embed),
        *fern.targets(
            "cohere",
            {
                ("v2.raw_client", "RawV2Client"): {"chat": CHAT, "chat_stream": CHAT, **_METHODS},
                ("raw_base_client", "RawBaseCohere"): {"chat": OLD_CHAT, "chat_stream": OLD_CHAT, **_METHODS},
            },
            server,
        ),
    ],
    ClientInfo(
        operations=("chat", "embeddings", "retrieval (rerank)", "API v1 and v2", "Bedrock, SageMaker, OCI"),
        not_covered=(
            "generate, summarize, classify, parse, tokenize, embed jobs, fine-tuning",
            "`embed` of v1 sends long lists in batches: one span a batch",
        ),
        peers=("opentelemetry-instrumentation-cohere", "openinference-instrumentation-cohere"),
    ),
)


class Instrumentor(_patching.Instrumentor):
    """Entry point `agentops_cohere`."""

    libraries = (LIBRARY,)
