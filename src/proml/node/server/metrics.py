"""Metrics in Prometheus' text format: requests, duties, what waits to be published, the process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proml.node.server.duty import Standing

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Metrics:
    """One node's figures; labels hold routes and methods, never ids, names or anything secret."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "proml_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "proml_request_seconds",
            "Seconds until a request was answered.",
            ("route",),
            buckets=BUCKETS,
            registry=self._registry,
        )

    def watch(self, standings: Callable[[], Iterable[Standing]]) -> None:
        """Tell how the duties are, asked at every collection."""
        self._registry.register(_Duties(standings))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. A method that is none is counted as `other`."""
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Everything, in the text format."""
        return generate_latest(self._registry)


class _Duties(Collector):
    def __init__(self, standings: Callable[[], Iterable[Standing]]) -> None:
        self._standings = standings

    def collect(self) -> Iterator[Metric]:
        well = GaugeMetricFamily("proml_duty_well", "Whether a duty of the node is well.", labels=("duty",))
        turns = GaugeMetricFamily("proml_duty_turns", "Turns of a duty that went well.", labels=("duty",))
        for standing in self._standings():
            well.add_metric((standing.name,), float(standing.is_well))
            turns.add_metric((standing.name,), standing.turns)
        yield well
        yield turns

    def describe(self) -> Iterable[Metric]:
        """Nothing: the duties are not there yet when this is registered."""
        return ()
