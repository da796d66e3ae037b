"""A ScaledObject of KEDA: the endpoint's own metrics, and the hours of the week.

Source: KEDA, ScaledObject `keda.sh/v1alpha1`; scalers `prometheus` and `cron`.
"""

from typing import Any

from freehold.adapters.kubernetes.behavior import ACCELERATOR, WAITING, behavior, written
from freehold.domain.errors import AdapterFailed
from freehold.domain.scaling import WEEK, Warming
from freehold.ports.scaling_manifest import Manifest, Scaled, ScalingManifest

EVERY = 15
"""Seconds between two looks."""
LEAD = 5
"""Minutes before an hour at which its replicas start."""


class KedaManifest(ScalingManifest):
    def manifest(self, scaled: Scaled) -> Manifest:
        if not scaled.metrics:
            raise AdapterFailed(
                "KEDA must be told where the metrics are",
                why="its trigger asks a Prometheus server",
                hint="give its address, such as --metrics http://prometheus.monitoring:9090",
                code="scaling.no-metrics",
            )
        targets = scaled.targets
        # A schedule that ended asks for one replica: of two, that is within the tolerance, and the
        # second would stay for good.
        follows = behavior(targets, lower=not scaled.warming)
        document = {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": scaled.name},
            "spec": {
                "scaleTargetRef": {"name": scaled.name},
                "minReplicaCount": targets.minimum,
                "maxReplicaCount": targets.maximum,
                "pollingInterval": EVERY,
                "advanced": {"horizontalPodAutoscalerConfig": {"behavior": follows}},
                "triggers": [*_measured(scaled), *map(_cron, scaled.warming)],
            },
        }
        left_out = (
            f"beside hours to warm there is no line for fewer: {targets.low:.0%} is not in it"
        )
        return Manifest(written(document), (left_out,) if scaled.warming else ())


def _measured(scaled: Scaled) -> list[dict[str, Any]]:
    """Sums over the replicas: the average for each is what is held to the threshold."""
    job, targets = f'{{job="{scaled.name}"}}', scaled.targets
    use = f"sum(rate(freehold_inference_seconds_sum{job}[2m]))"
    found = [
        _query(scaled, "use", use, targets.high),
        _query(scaled, "queue", f"sum({WAITING}{job})", targets.queue),
    ]
    if scaled.accelerator:
        pods = f'{{pod=~"{scaled.name}-.+"}}'
        # One figure for a replica, however many accelerators it has.
        query = f"sum(avg by (pod) ({ACCELERATOR}{pods})) / 100"
        found.insert(0, _query(scaled, "accelerator", query, targets.high))
    return found


def _query(scaled: Scaled, name: str, query: str, threshold: float) -> dict[str, Any]:
    return {
        "type": "prometheus",
        "name": name,
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": scaled.metrics,
            "query": query,
            "threshold": f"{threshold:g}",
        },
    }


def _cron(warming: Warming) -> dict[str, Any]:
    before = (warming.start - 1) % WEEK
    return {
        "type": "cron",
        "metadata": {
            "timezone": "UTC",
            "start": _moment(before, 60 - LEAD),
            "end": _moment(warming.end, 0),
            "desiredReplicas": str(warming.replicas),
        },
    }


def _moment(hour: int, minute: int) -> str:
    """In cron's words, where Sunday is 0 and Monday 1."""
    return f"{minute} {hour % 24} * * {(hour // 24 + 1) % 7}"
