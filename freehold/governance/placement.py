"""The questions that policies are asked before a step is placed.

Two folders of policies, each asked its own question, both version 1 (`freehold: 1`).

Where may it run (`placement.policies`), for each step and site:

    question    "placement"
    pipeline    name
    step        name
    needs       {cpus, memory, accelerators, accelerator}: the last is their kind, or empty
    labels      name → its values, sorted: what the step handles
    site        {name, provider, region, jurisdiction, accepts}

May it lower labels (`placement.consent`), for each step that declares to:

    question    "lowering"
    pipeline, step
    function    `module:function`
    code        digest of the project's modules: consent may name what was reviewed
    bears       labels before, name → values
    makes       labels after
    lowers      what goes, name → values
"""

from collections.abc import Mapping
from typing import Any

from freehold.domain.labels import values_of
from freehold.domain.project import SiteSpec
from freehold.domain.step import StepDefinition

SHAPE = 1


def placement_input(
    pipeline: str, step: StepDefinition, labels: Mapping[str, str], site: tuple[str, SiteSpec]
) -> dict[str, Any]:
    name, spec = site
    return {
        "freehold": SHAPE,
        "question": "placement",
        "pipeline": pipeline,
        "step": step.name,
        "needs": {
            "cpus": step.needs.cpus,
            "memory": step.needs.memory,
            "accelerators": step.needs.accelerators,
            "accelerator": step.needs.accelerator,
        },
        "labels": _listed(labels),
        "site": {
            "name": name,
            "provider": spec.provider,
            "region": spec.region,
            "jurisdiction": spec.jurisdiction,
            "accepts": sorted(spec.accepts),
        },
    }


def lowering_input(
    pipeline: str, step: StepDefinition, code: str, labels: tuple[Mapping[str, str], ...]
) -> dict[str, Any]:
    """`labels`: before, after, and what goes."""
    bears, makes, lowers = labels
    return {
        "freehold": SHAPE,
        "question": "lowering",
        "pipeline": pipeline,
        "step": step.name,
        "function": step.address,
        "code": code,
        "bears": _listed(bears),
        "makes": _listed(makes),
        "lowers": _listed(lowers),
    }


def _listed(labels: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: sorted(values_of(value)) for name, value in sorted(labels.items())}
