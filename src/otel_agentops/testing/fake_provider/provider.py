"""The provider's mind: aliases, a script of things that go wrong, what it answers, and what it was asked."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType

from otel_agentops.testing.fake_provider.behaviour import Answer, Answerer, Call, Ok, Step, When
from otel_agentops.testing.fake_provider.server import Server

KEPT = 1000  # recorded requests: enough for any test's assertions, and flat in memory over 100,000 calls


class FakeProvider:
    """A provider on a port of the loopback interface, for the length of a block. port: 0 for a free one."""

    def __init__(self, port: int = 0) -> None:
        self._lock = threading.Lock()
        self._requests: deque[Call] = deque(maxlen=KEPT)
        self._aliases: dict[str, str] = {}
        self._steps: list[tuple[Step, When]] = []
        self._answer: Answerer = lambda call: Answer()
        self._server = Server(self, port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        return self.url

    @property
    def azure_url(self) -> str:
        return self.url

    @property
    def requests(self) -> list[Call]:
        """What was asked, oldest first: the last thousand."""
        with self._lock:
            return list(self._requests)

    @property
    def aliases(self) -> dict[str, str]:
        return dict(self._aliases)

    def alias(self, name: str, resolved: str) -> None:
        """From now on answers to `name` come from the model `resolved`."""
        with self._lock:
            self._aliases[name] = resolved

    def script(self, *steps: Step, when: When = lambda call: True) -> None:
        """What the next requests meet, one step each, then all goes well again. when: the requests it is meant for."""
        with self._lock:
            self._steps.extend((step, when) for step in steps)

    def answer(self, answerer: Answerer) -> None:
        """Decide the answers from now on."""
        self._answer = answerer

    def clear(self) -> None:
        """Forget the requests so far and the rest of the script."""
        with self._lock:
            self._requests.clear()
            self._steps.clear()

    def resolve(self, model: str) -> str:
        """The model behind a name; the name itself where it is no alias."""
        return self._aliases.get(model, model)

    def meet(self, call: Call) -> tuple[Step, Answer]:
        """Record a request; what it meets and what it is answered."""
        with self._lock:
            self._requests.append(call)
            step = self._next_step(call)
        return step, self._answer(call)

    def _next_step(self, call: Call) -> Step:
        for position, (step, when) in enumerate(self._steps):
            if when(call):
                del self._steps[position]
                return step
        return Ok()

    def __enter__(self) -> FakeProvider:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
