"""The real OpenEvals with a judge on a fake provider, with what our instrumentations of both emit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from judgements import answer_in_form, make_client, run_provider, see_judgements

from otel_agentops.judges.openevals import Instrumentor
from otel_agentops.testing.fake_provider import FakeProvider


@pytest.fixture
def instrumentor() -> Instrumentor:
    return Instrumentor()


seen = pytest.fixture(see_judgements)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with run_provider(
        lambda call: answer_in_form(call, json.dumps({"reasoning": "as scripted", "score": True}))
    ) as running:
        yield running


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, provider: FakeProvider) -> Any:
    return make_client(request.param, provider)
