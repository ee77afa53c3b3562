"""Counts of requests and rows, and times, in Prometheus' format."""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.metrics_core import InfoMetricFamily

from sklearn_deep.serving.server._repository import Repository

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """What a server counts.

    Parameters
    ----------
    repository : Repository
        Its models are named with their checksums; requests for others count as of no
        model, so that clients cannot make labels.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._registry = CollectorRegistry()
        about: dict[str, Any] = {
            "registry": self._registry,
            "namespace": "sklearn_deep",
        }
        self._requests = Counter(
            "requests", "Requests.", ["protocol", "model", "status"], **about
        )
        self._seconds = Histogram(
            "request_seconds",
            "Time from the head of a request to the end of its response.",
            ["protocol", "model"],
            buckets=_SECONDS,
            **about,
        )
        self._rows = Counter("rows", "Rows computed.", ["model"], **about)
        self._batches = Histogram(
            "batch_requests",
            "Requests that were computed together.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            **about,
        )
        self.queue = Gauge("queue", "Requests that are computed or wait.", **about)
        self._registry.register(_Models(repository))
        # Looking a child up by its labels takes longer than to count in it.
        self._children: dict[tuple, Any] = {}

    def note_request(
        self, protocol: str, model: str, status: int | str, seconds: float
    ) -> None:
        """Count a request that has been answered."""
        if model not in self._repository.models:
            model = ""
        key = protocol, model, status
        counter, histogram = self._child(
            key,
            lambda: (
                self._requests.labels(protocol, model, str(status)),
                self._seconds.labels(protocol, model),
            ),
        )
        counter.inc()
        histogram.observe(seconds)

    def note_rows(self, model: str, n_rows: int) -> None:
        """Count rows that have been computed."""
        self._child(("rows", model), lambda: self._rows.labels(model)).inc(n_rows)

    def note_batch(self, n_requests: int) -> None:
        """Count requests that have been computed together."""
        self._batches.observe(n_requests)

    def _child(self, key: tuple, make: Callable[[], Any]) -> Any:
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = make()
        return found

    def as_text(self) -> bytes:
        """All numbers in Prometheus' format."""
        return generate_latest(self._registry)


class _Models:
    """Names, versions and checksums of the models that are served now."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def collect(self) -> Iterator[InfoMetricFamily]:
        """What the registry asks for."""
        family = InfoMetricFamily(
            "sklearn_deep_model",
            "Models that are served.",
            labels=["model", "version"],
        )
        for served in self._repository.all():
            family.add_metric(
                [served.name, served.version], {"sha256": served.checksum}
            )
        yield family
