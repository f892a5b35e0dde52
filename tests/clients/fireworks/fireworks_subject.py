"""The fireworks client under the contract: chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fireworks

from otel_agentops.clients.fireworks import Instrumentor
from otel_agentops.testing.openai_shaped import OpenAIShaped


class FireworksSubject(OpenAIShaped):
    name = "fireworks"
    instrumentor = Instrumentor
    provider = "fireworks"
    sampling = (*OpenAIShaped.sampling, "top_k")
    classes = {"sync": fireworks.Fireworks, "async": fireworks.AsyncFireworks}
    path = ""
    omit = (fireworks.omit, fireworks.not_given)
    missing = {"embed": "the SDK has no embeddings"}

    def counting(self) -> Mapping[str, Any]:
        return {"extra_body": {"stream_options": {"include_usage": True}}}
