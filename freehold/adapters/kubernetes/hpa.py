"""A HorizontalPodAutoscaler of Kubernetes, `autoscaling/v2`.

Source: Kubernetes API reference, HorizontalPodAutoscaler v2.
"""

from typing import Any

from freehold.adapters.kubernetes.behavior import ACCELERATOR, WAITING, behavior, written
from freehold.ports.scaling_manifest import Manifest, Scaled, ScalingManifest


class HorizontalManifest(ScalingManifest):
    def manifest(self, scaled: Scaled) -> Manifest:
        targets = scaled.targets
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": scaled.name}
        document = {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": scaled.name},
            "spec": {
                "scaleTargetRef": target,
                "minReplicas": targets.minimum,
                "maxReplicas": targets.maximum,
                "metrics": _metrics(scaled),
                "behavior": behavior(targets),
            },
        }
        left_out = []
        if scaled.warming:
            left_out.append("a HorizontalPodAutoscaler knows no hours: nothing is warmed ahead")
        return Manifest(written(document), tuple(left_out))


def _metrics(scaled: Scaled) -> list[dict[str, Any]]:
    share = round(scaled.targets.high * 100)
    processor = {
        "type": "Resource",
        "resource": {
            "name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": share},
        },
    }
    found = [processor, _pods(WAITING, f"{round(scaled.targets.queue * 1000)}m")]
    if scaled.accelerator:
        found.insert(0, _pods(ACCELERATOR, str(share)))
    return found


def _pods(metric: str, value: str) -> dict[str, Any]:
    target = {"type": "AverageValue", "averageValue": value}
    return {"type": "Pods", "pods": {"metric": {"name": metric}, "target": target}}
