"""Cohere: chat, embeddings and reranking in both versions of its API, on its own service and in the clouds."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from otel_agentops import _engine
from otel_agentops._engine import Client, Support
from otel_agentops.clients import _fern
from otel_agentops.clients._cohere_wire import CHAT, EMBED, OLD_CHAT, RERANK
from otel_agentops.clients._providers import Server, address


def server(wrapper: Any) -> Server:
    """Cohere's service, or a cloud: its client is the same one with a hook that rewrites each request."""
    for hook in wrapper.httpx_client.httpx_client.event_hooks["request"]:
        if (cloud := _CLOUDS.get(getattr(hook, "__module__", ""))) is not None:
            held = inspect.getclosurevars(hook)
            return cloud(held.globals, held.nonlocals)
    return Server("cohere", address(wrapper.get_base_url()))


def _aws(module: Mapping[str, Any], held: Mapping[str, Any]) -> Server:
    service = held["service"]  # bedrock or sagemaker
    url = module["get_url"](platform=service, aws_region=held["aws_region"], model="", stream=False)
    return Server(f"aws.{service}", address(url))


def _oci(module: Mapping[str, Any], held: Mapping[str, Any]) -> Server:
    return Server("oci", address(module["get_oci_url"](region=held["oci_region"], endpoint="chat")))


_CLOUDS = {"cohere.aws_client": _aws, "cohere.oci_client": _oci}
_METHODS = {"embed": EMBED, "rerank": RERANK}
CLIENT = Client(
    "cohere",
    ">=5.16,<8",
    _fern.targets(
        "cohere",
        {
            ("v2.raw_client", "RawV2Client"): {"chat": CHAT, "chat_stream": CHAT, **_METHODS},
            ("raw_base_client", "RawBaseCohere"): {"chat": OLD_CHAT, "chat_stream": OLD_CHAT, **_METHODS},
        },
        server,
    ),
    Support(
        operations=("chat", "embeddings", "retrieval (rerank)", "API v1 and v2", "Bedrock, SageMaker, OCI"),
        not_covered=(
            "generate, summarize, classify, parse, tokenize, embed jobs, fine-tuning",
            "`Client.embed` of v1 runs its batches on threads: one span a batch",
        ),
    ),
)


class Instrumentor(_engine.Instrumentor):
    """Entry point `agentops_cohere`."""

    clients = (CLIENT,)
