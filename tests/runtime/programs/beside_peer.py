"""Prints where the words of one openai call stand beside another instrumentation: `beside_peer.py module:class`.

A process of its own, because some of them leave their wrappers behind.
"""

from __future__ import annotations

import json
import pkgutil
import sys

import openai

from otel_agentops.clients.openai import Instrumentor
from otel_agentops.testing import capture
from otel_agentops.testing.fake_provider import FakeProvider


def main() -> None:
    instrumentor = pkgutil.resolve_name(sys.argv[1])()
    with FakeProvider() as provider, capture(instrumentor, Instrumentor()) as seen:
        gpt = openai.OpenAI(api_key="k", base_url=provider.openai_url)
        gpt.chat.completions.create(model="m", messages=[{"role": "user", "content": "Umbrella?"}])
        (span,), events = seen.spans, seen.events
    keys = [key for key, value in span["attributes"].items() if "Umbrella" in str(value) and key != "input.value"]
    print(json.dumps({"keys": keys, "events": len([event for event in events if "Umbrella" in str(event)])}))


if __name__ == "__main__":
    main()
