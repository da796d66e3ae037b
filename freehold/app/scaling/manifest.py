"""`freehold scaling --manifest`: the same lines, as a system that scales reads them."""

from typing import Any

from freehold.app import adapters
from freehold.app.scaling.advice import deployment_of, endpoint_model, machine_here, warming
from freehold.app.site.opening import Site
from freehold.domain.scaling import Targets
from freehold.ports.scaling_manifest import Scaled, ScalingManifest


def manifest(
    site: Site, name: str, targets: Targets, metrics: str = "", ahead: bool = False
) -> dict[str, Any]:
    """JSON, shape 1: the text, and what it cannot say. `name`: of the adapter; `metrics`: address
    of the server that is asked for the endpoint's; `ahead`: with hours to warm.

    Raises NotFound `scaling.no-endpoint`, Refused `scaling.name`, AdapterMissing, AdapterFailed.
    """
    model = endpoint_model(site)
    writer: ScalingManifest = adapters.load("scaling_manifest", name)()
    hours, reason = warming(site, targets) if ahead else ((), "")
    offer = machine_here(site)
    scaled = Scaled(
        name=deployment_of(model),
        targets=targets,
        warming=hours,
        metrics=metrics,
        accelerator=offer is not None and offer.hardware.accelerators > 0,
    )
    made = writer.manifest(scaled)
    left_out = [*made.left_out, *([f"no hours to warm: {reason}"] if reason else [])]
    return {"shape": 1, "manifest": name, "text": made.text, "left_out": left_out}
