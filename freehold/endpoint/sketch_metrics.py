"""What was asked and answered, for whoever watches: a bounded part of the log's sketches.

Of the last versions, COLUMNS columns in the order of their names, five quantiles, and TOP values of
a category; of a personal column, how often it was there.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from freehold.domain.statistics.sketches import CategorySketch, ColumnSketch, NumberSketch
from freehold.endpoint.request_log import RequestLog

COLUMNS = 32
TOP = 5
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
SCORE = ""
"""Instead of a column's name: no column is called so."""


class SketchCollector(Collector):
    def __init__(self, log: RequestLog) -> None:
        self._log = log

    def collect(self) -> Iterator[Metric]:
        labels = ["model", "version", "column"]
        text = "Rows of the log that"
        rows = CounterMetricFamily("freehold_sketch_rows", f"{text} were sketched.", labels=labels)
        missing = CounterMetricFamily(
            "freehold_sketch_missing", f"{text} had no value of it.", labels=labels
        )
        mean = GaugeMetricFamily("freehold_sketch_mean", "Of the values.", labels=labels)
        deviation = GaugeMetricFamily(
            "freehold_sketch_deviation", "Standard deviation of the values.", labels=labels
        )
        quantiles = GaugeMetricFamily(
            "freehold_sketch_quantile",
            "Of the values, to 0.8 %.",
            labels=[*labels, "quantile"],
        )
        values = GaugeMetricFamily(
            "freehold_sketch_value_rows",
            "Rows of the most frequent values, at least.",
            labels=[*labels, "value"],
        )
        for key, one in self._columns():
            rows.add_metric(key, one.rows)
            missing.add_metric(key, one.missing)
            if isinstance(one, NumberSketch) and one.values:
                mean.add_metric(key, one.mean)
                if one.deviation is not None:
                    deviation.add_metric(key, one.deviation)
                for share in QUANTILES:
                    quantiles.add_metric([*key, str(share)], one.quantile(share) or 0.0)
            if isinstance(one, CategorySketch):
                for value, count in list(one.counts.items())[:TOP]:
                    values.add_metric([*key, value], count)
        yield from (rows, missing, mean, deviation, quantiles, values)

    def _columns(self) -> Iterator[tuple[list[str], ColumnSketch]]:
        for version in self._log.sketches:
            key = [version.model, str(version.version)]
            yield [*key, SCORE], version.score
            for name in sorted(version.inputs)[:COLUMNS]:
                yield [*key, name], version.inputs[name]
