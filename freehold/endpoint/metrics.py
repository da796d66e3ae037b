"""What Prometheus reads of one endpoint; a registry of its own, so that tests do not share it."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from freehold.domain.routing import RoutingTable
from freehold.endpoint.batching import Batching
from freehold.endpoint.request_log import RequestLog
from freehold.endpoint.sketch_metrics import SketchCollector
from freehold.serving.prediction_log import Batch

NAMESPACE = "freehold"
BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)


class Metrics:
    def __init__(self, log: RequestLog, batching: Batching) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_LogCollector(log))
        self._registry.register(SketchCollector(log))
        self._registry.register(_BatchCollector(batching))
        self._requests = self._counter("requests", "Requests answered.", "status")
        self._by_status: dict[int, Counter] = {}
        self.errors = self._counter("request_errors", "Requests refused or failed.", "code")
        self.seconds = Seconds("inference", "From a request's turn to its answer.")
        self.waited = Seconds("waiting", "From the whole request's arrival to its turn.")
        self._registry.register(self.seconds)
        self._registry.register(self.waited)
        self._rows = self._counter("rows", "Rows answered.", "model", "version")
        self._row_errors = self._counter("row_errors", "Rows not answered.", "model", "version")
        self._by_variant: dict[tuple[str, int, bool], Counter] = {}
        self.reference_errors = self._counter(
            "reference_errors", "Requests whose comparison score failed.", "model"
        )
        self._shadow_late = self._counter(
            "shadow_rows_late", "Rows logged before the shadow had scored them.", "model"
        )
        self.refused = self._counter("tables_refused", "Routing tables not loaded.", "code")
        self.events_lost = self._counter("events_lost", "Times that an event was not spooled.")
        self._routing = self._gauge("routing_version", "Number of the routing table.")
        self._weight = self._gauge(
            "variant_weight_percent", "Share of keys.", "model", "version", "alias"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=NAMESPACE, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, namespace=NAMESPACE, registry=self._registry)

    def answered(self, status: int) -> None:
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._by_status[status] = self._requests.labels(str(status))
        counter.inc()

    def refused_request(self, code: str, status: int) -> None:
        """Refused or failed, and answered so."""
        self.errors.labels(code).inc()
        self.answered(status)

    def shadow_was_late(self, batch: Batch) -> None:
        self._shadow_late.labels(batch.model).inc(batch.rows)

    def counted(self, batch: Batch) -> None:
        """Its rows, as answered or not."""
        key = batch.model, batch.version, batch.error is None
        counter = self._by_variant.get(key)
        if counter is None:
            whole = self._rows if batch.error is None else self._row_errors
            counter = self._by_variant[key] = whole.labels(batch.model, str(batch.version))
        counter.inc(batch.rows)

    def counts_open(self, count: Callable[[], int]) -> None:
        """From now on `freehold_requests_waiting` is what this gives, less the one that asks."""
        waiting = self._gauge("requests_waiting", "Requests begun and not yet answered.")
        waiting.set_function(lambda: max(0, count() - 1))

    def swapped(self, table: RoutingTable) -> None:
        self._routing.set(table.version)
        self._weight.clear()
        for variant in table.variants:
            labels = (table.model, str(variant.version), variant.alias)
            self._weight.labels(*labels).set(variant.weight)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class Seconds(Collector):
    """A histogram that costs an answer a tenth of what the library's own does."""

    def __init__(self, name: str, text: str) -> None:
        """`name`: of what takes these seconds."""
        self._name, self._text = name, text
        self._lock = Lock()
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        with self._lock:
            self._counts[bisect_left(BUCKETS, seconds)] += 1
            self._sum += seconds

    def collect(self) -> Iterator[Metric]:
        bounds = [*map(str, map(float, BUCKETS)), "+Inf"]
        reached = accumulate(self._counts)
        yield HistogramMetricFamily(
            f"{NAMESPACE}_{self._name}_seconds",
            self._text,
            buckets=list(zip(bounds, map(float, reached), strict=True)),
            sum_value=self._sum,
        )


class _LogCollector(Collector):
    """Reads the log's own counters when asked, so that none is kept twice."""

    def __init__(self, log: RequestLog) -> None:
        self._log = log

    def collect(self) -> Iterator[Metric]:
        state = self._log.state
        yield CounterMetricFamily(
            "freehold_log_rows_written", "Rows in Parquet parts.", value=state.written
        )
        yield CounterMetricFamily(
            "freehold_log_rows_dropped",
            "Rows that found the log full, or that could not be written.",
            value=state.dropped,
        )
        yield CounterMetricFamily(
            "freehold_log_rows_sampled_out",
            "Rows of keys that are not kept, since only a share of them is.",
            value=state.sampled_out,
        )
        yield CounterMetricFamily(
            "freehold_log_write_failures", "Parts not written.", value=state.failures
        )
        yield GaugeMetricFamily(
            "freehold_log_alive", "Whether the log is being written.", value=state.alive
        )
        yield GaugeMetricFamily(
            "freehold_log_rows_waiting", "Rows not yet written.", value=state.waiting
        )


class _BatchCollector(Collector):
    def __init__(self, batching: Batching) -> None:
        self._batching = batching

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "freehold_batches", "Calls of models that answer in batches.", self._batching.batches
        )
        yield CounterMetricFamily(
            "freehold_batched_requests", "Requests in these calls.", self._batching.requests
        )
        yield CounterMetricFamily(
            "freehold_batches_late",
            "Such calls that added more than the stated delay.",
            self._batching.late,
        )
