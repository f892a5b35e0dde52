"""A client for the HTTP API of Prometheus: queries, exemplars and alerts as typed records, one error.

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import httpx

Labels = dict[str, str]
Record = TypeVar("Record")


class PrometheusError(Exception):
    """A question that a Prometheus did not answer, in one sentence that names its address."""


class Sample(NamedTuple):
    """A series of an instant query with its value."""

    labels: Labels
    value: float


class Series(NamedTuple):
    """A series of a range query with its points: Unix seconds and value."""

    labels: Labels
    points: list[tuple[float, float]]


class Exemplar(NamedTuple):
    """An exemplar; its labels hold the trace id."""

    labels: Labels
    value: float
    time_s: float


class Alert(NamedTuple):
    """An alert that is pending or firing."""

    labels: Labels
    annotations: dict[str, str]
    state: str


class AlertRule(NamedTuple):
    """A rule of an alert; its texts are templates that nobody has filled in."""

    name: str
    labels: Labels
    annotations: dict[str, str]


class PrometheusClient:
    """A connection to one Prometheus, or to what speaks its API."""

    def __init__(self, url: str, timeout_s: float = 60) -> None:
        """Connect to a Prometheus; nothing is sent before the first query.

        Args:
            url: Its address, with the path below which it serves `/api/v1`.
            timeout_s: Seconds to wait for an answer.
        """
        self.url = url
        self._http = httpx.Client(timeout=timeout_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def query_instant(self, expression: str, at_s: float | None = None) -> list[Sample]:
        """Return the series of an instant query, as of now if no time is given.

        Raises:
            PrometheusError: No answer, an error for an answer, or an answer of something else.
        """
        parameters = {"query": expression} if at_s is None else {"query": expression, "time": repr(at_s)}
        return self._ask(
            "query",
            parameters,
            lambda data: [Sample(each["metric"], float(each["value"][1])) for each in data["result"]],
        )

    def query_range(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[Series]:
        """Return the series of a range query.

        Raises:
            PrometheusError: No answer, an error for an answer, or an answer of something else.
        """
        parameters = {"query": expression, "start": repr(start_s), "end": repr(end_s), "step": repr(step_s)}
        return self._ask(
            "query_range",
            parameters,
            lambda data: [
                Series(each["metric"], [(float(time_s), float(value)) for time_s, value in each["values"]])
                for each in data["result"]
            ],
        )

    def query_exemplars(self, selector: str, start_s: float, end_s: float) -> list[Exemplar]:
        """Return the exemplars of the series that a selector selects.

        Raises:
            PrometheusError: No answer, an error for an answer, or an answer of something else.
        """
        return self._ask(
            "query_exemplars",
            {"query": selector, "start": repr(start_s), "end": repr(end_s)},
            lambda data: [
                Exemplar(each["labels"], float(each["value"]), float(each["timestamp"]))
                for series in data
                for each in series["exemplars"]
            ],
        )

    def list_alerts(self) -> list[Alert]:
        """Return the alerts that are pending or firing.

        Raises:
            PrometheusError: No answer, an error for an answer, or an answer of something else.
        """
        return self._ask(
            "alerts",
            {},
            lambda data: [Alert(each["labels"], each["annotations"], each["state"]) for each in data["alerts"]],
        )

    def list_alert_rules(self) -> list[AlertRule]:
        """Return the rules of all alerts, whether these fire or not.

        Raises:
            PrometheusError: No answer, an error for an answer, or an answer of something else.
        """
        return self._ask(
            "rules",
            {},
            lambda data: [
                AlertRule(rule["name"], rule["labels"], rule["annotations"])
                for group in data["groups"]
                for rule in group["rules"]
                if rule["type"] == "alerting"
            ],
        )

    def _ask(
        self, path: str, parameters: Mapping[str, str] | None, read: Callable[[Any], list[Record]]
    ) -> list[Record]:
        """Call the API and read its `data`; a query can be longer than an address may be, so it is posted."""
        address = f"{self.url.rstrip('/')}/api/v1/{path}"
        try:
            response = self._http.post(address, data=parameters) if parameters else self._http.get(address)
            body = response.json()
            if body["status"] != "success":
                raise PrometheusError(f"{self.url}: Prometheus answers: {body['error']}")
            return read(body["data"])
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PrometheusError(f"{self.url}: cannot be asked: {error}") from None
        except (ValueError, KeyError, TypeError):
            text = f"does not answer like a Prometheus (HTTP {response.status_code})"
            raise PrometheusError(f"{self.url}: {text}") from None
