"""The provider itself: aliases, a script of things that go wrong, its answers, and the requests that it received."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType

from otel_agentops.testing.fake_provider.behaviour import Answer, Answerer, Call, Condition, Ok, Step
from otel_agentops.testing.fake_provider.server import Server

RECORDED = 1000  # requests: enough for any test's assertions, and flat in memory over 100,000 calls


class Addresses:
    """The base URLs of a provider, in the words of the SDKs that have words of their own.

    Attributes:
        url: Scheme, host and port.
    """

    url: str

    @property
    def openai_url(self) -> str:
        """Return the base URL for OpenAI's clients."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """Return the base URL for Anthropic's clients."""
        return self.url

    @property
    def azure_url(self) -> str:
        """Return the endpoint for Azure's clients."""
        return self.url


class FakeProvider(Addresses):
    """A provider on a port of the loopback interface, for the length of a block.

    Args:
        port: The port to listen on; 0 for a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self._lock = threading.Lock()
        self._requests: deque[Call] = deque(maxlen=RECORDED)
        self._aliases: dict[str, str] = {}
        self._steps: list[tuple[Step, Condition]] = []
        self._answerer: Answerer = lambda call: Answer()
        self._server = Server(self, port)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[Call]:
        """Return the last thousand requests, oldest first."""
        with self._lock:
            return list(self._requests)

    @property
    def aliases(self) -> dict[str, str]:
        """Return the model of each alias."""
        return dict(self._aliases)

    def alias(self, name: str, resolved: str) -> None:
        """Answer requests for `name` as the model `resolved` from now on."""
        with self._lock:
            self._aliases[name] = resolved

    def script(self, *steps: Step, when: Condition = lambda call: True) -> None:
        """Let the next requests meet these steps, one each; after them all goes well again.

        Args:
            *steps: The steps, in order.
            when: Returns True for a request that these steps are meant for; others leave them in place.
        """
        with self._lock:
            self._steps.extend((step, when) for step in steps)

    def answer(self, answerer: Answerer) -> None:
        """Make the answers of all requests with this function from now on."""
        self._answerer = answerer

    def clear(self) -> None:
        """Forget the requests so far and the rest of the script."""
        with self._lock:
            self._requests.clear()
            self._steps.clear()

    def resolve(self, model: str) -> str:
        """Return the model of an alias; a name that is not an alias is returned as it is."""
        return self._aliases.get(model, model)

    def meet(self, call: Call) -> tuple[Step, Answer]:
        """Record a request; return the step of the script that it meets, and its answer."""
        with self._lock:
            self._requests.append(call)
            place = next((place for place, (_, when) in enumerate(self._steps) if when(call)), None)
            step = Ok() if place is None else self._steps.pop(place)[0]
        return step, self._answerer(call)

    def __enter__(self) -> FakeProvider:
        self._server.start_serving()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop_serving()
