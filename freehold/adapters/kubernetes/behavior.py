"""How quickly a horizontal autoscaler follows, and the YAML that all writers write.

Source: Kubernetes, HorizontalPodAutoscaler v2, `behavior`; KEP-4951 for `tolerance`.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from freehold.domain.scaling import Targets

ACCELERATOR = "DCGM_FI_DEV_GPU_UTIL"
"""Of NVIDIA's DCGM exporter, 0 to 100, of each accelerator."""
WAITING = "freehold_requests_waiting"


def behavior(targets: Targets, lower: bool = True) -> dict[str, Any]:
    """More at once and at most twice as many, fewer after the calm.

    A metric that is `low` is `low / high` of its target: what the tolerance leaves alone. `lower`:
    whether it does. It holds for every metric, a schedule's too.
    """
    down: dict[str, Any] = {"stabilizationWindowSeconds": round(targets.calm)}
    if lower:
        down["tolerance"] = f"{1 - targets.low / targets.high:.3f}"
    settling = max(1, round(targets.settling))
    return {
        "scaleDown": down,
        "scaleUp": {
            "policies": [{"periodSeconds": settling, "type": "Percent", "value": 100}],
            "stabilizationWindowSeconds": 0,
            "tolerance": "0",
        },
    }


def written(document: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(document), sort_keys=False, width=100)
    return text
