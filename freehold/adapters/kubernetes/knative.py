"""Annotations of a Knative Service, to be merged into the one that runs the endpoint.

Source: Knative Serving, "Autoscaling": metrics, concurrency, scale bounds, scale-down delay.
"""

from freehold.adapters.kubernetes.behavior import written
from freehold.ports.scaling_manifest import Manifest, Scaled, ScalingManifest

PREFIX = "autoscaling.knative.dev/"


class KnativeManifest(ScalingManifest):
    def manifest(self, scaled: Scaled) -> Manifest:
        targets = scaled.targets
        told = {
            "class": "kpa.autoscaling.knative.dev",
            "metric": "concurrency",
            # A replica answers one request at a time: those that may wait, and that one.
            "target": f"{targets.queue + 1:g}",
            "target-utilization-percentage": f"{targets.high * 100:g}",
            "min-scale": str(targets.minimum),
            "max-scale": str(targets.maximum),
            "scale-down-delay": f"{round(targets.calm)}s",
        }
        annotations = {f"{PREFIX}{name}": value for name, value in told.items()}
        document = {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": scaled.name},
            "spec": {"template": {"metadata": {"annotations": annotations}}},
        }
        left_out = [
            "Knative counts requests in a replica, not the use of its processor or accelerator",
            f"Knative has no line of its own for fewer: {targets.low:.0%} is not in it",
        ]
        if scaled.warming:
            left_out.append("Knative knows no hours: nothing is warmed ahead")
        return Manifest(written(document), tuple(left_out))
