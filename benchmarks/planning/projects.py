"""A whole project like those of teams with racks and several clouds, from a seed.

Pipelines, machines and places are drawn as those of `problems`: of ten sizes of machine each site
has both on demand and spot, which are its twenty machine types. Clouds are those whose prices of
storage and egress the product's tables know. One in eight pipelines' sources bears `residency=EU`,
one in eight `pii`: what reads them bears it too. A policy folder denies some pairs of step and
site by name, and a place without a jurisdiction all steps with accelerators. The racks are
denied nothing, so that each step has a place.
"""

import json
from pathlib import Path
from random import Random

from benchmarks.planning.problems import (
    Machine,
    Pipelines,
    Place,
    Work,
    drawn_machines,
    drawn_pipelines,
    drawn_places,
)

HOME = "racks-eu"
PIPELINE = "everything"
LABELLED = 0.125
"""Share of the pipelines whose source bears a label, for each of the labels."""
ACCEPTING = 1 / 3
"""Share of the clouds' sites that `pii` may come to."""
CLOSED = 0.1
"""Pairs of step and site that are denied by name, for each step."""
SPOT = 0.7
"""Share of the steps that resume."""
KINDS = {0.0: "", 1.0: "t4", 2.5: "a10g", 8.0: "a100-40gb", 20.0: "h100"}
"""Of accelerators, by their speed."""
LAST = 10_000_000
"""Bytes of what nobody reads: a report."""

PROVIDERS = {"alpha": "aws", "beta": "gcp", "gamma": "azure", "delta": "aws"}
JURISDICTIONS = {"eu": "EU", "us": "US", "asia": ""}
REGIONS = {
    ("aws", "eu"): ("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3"),
    ("aws", "us"): ("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    ("aws", "asia"): ("ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1"),
    ("azure", "eu"): ("francecentral", "northeurope", "swedencentral", "westeurope"),
    ("azure", "us"): ("centralus", "eastus", "southcentralus", "westus2"),
    ("azure", "asia"): ("centralindia", "eastasia", "southeastasia", "southindia"),
    ("gcp", "eu"): ("europe-north1", "europe-west1", "europe-west4", "europe-west9"),
    ("gcp", "us"): ("us-central1", "us-east1", "us-west1", "us-west4"),
    ("gcp", "asia"): ("asia-east1", "asia-northeast1", "asia-south1", "asia-southeast1"),
}

POLICY = """\
package freehold.placing

import rego.v1

rules := {"closed", "unknown-law"}

requires := {
	"input.step": "string",
	"input.needs.accelerators": "number",
	"input.site.name": "string",
	"input.site.jurisdiction": "string",
	"data.limits.closed": "object",
}

closed if {
	input.site.name in object.get(data.limits.closed, input.step, [])
}

unknown_law if {
	input.needs.accelerators > 0
	input.site.jurisdiction == ""
}

cleared contains "closed" if {
	not closed
}

cleared contains "unknown-law" if {
	is_number(input.needs.accelerators)
	not unknown_law
}

deny contains {"rule": "closed", "message": "this step is not run there"} if {
	not "closed" in cleared
}

deny contains {"rule": "unknown-law", "message": "accelerators only under a known law"} if {
	not "unknown-law" in cleared
}
"""


def write_project(root: Path, seed: int, steps: int, sites: int) -> None:
    """`freehold.yaml`, `steps.py` and `placing/`, in an empty folder."""
    random = Random(f"project {seed} {steps} {sites}")
    places = drawn_places(random, sites)
    pipelines = drawn_pipelines(random, places, steps)
    _write(root / "freehold.yaml", _project(random, places, drawn_machines(20)))
    _write(root / "steps.py", _steps(random, pipelines))
    closed = _closed(random, [*pipelines.works], places)
    _write(root / "placing" / "placing.rego", POLICY)
    _write(root / "placing" / "limits.json", json.dumps({"limits": {"closed": closed}}))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _project(random: Random, places: list[Place], machines: list[Machine]) -> str:
    """JSON is YAML as well."""
    return json.dumps(
        {
            "project": "planned",
            "pipelines": {PIPELINE: f"steps:{PIPELINE}"},
            "site": HOME,
            "placement": {"policies": "placing"},
            "sites": {place.name: _site(random, place, machines) for place in places},
        },
        indent=1,
    )


def _site(random: Random, place: Place, machines: list[Machine]) -> dict[str, object]:
    own = place.name == HOME
    found: dict[str, object] = {
        "store": {"at": f"file:///srv/{place.name}"},
        "private": own,
        "accepts": ["pii"] if own or random.random() < ACCEPTING else [],
        "jurisdiction": "EU" if own else JURISDICTIONS[place.continent],
        "carbon": 1000 * place.carbon,
        "machines": _machines(random, place, machines),
    }
    if own:
        return found | {"storage_price": 0.012}
    provider = PROVIDERS[place.cloud]
    region = random.choice(REGIONS[provider, place.continent])
    return found | {"provider": provider, "region": region}


def _machines(random: Random, place: Place, machines: list[Machine]) -> dict[str, object]:
    """Those on demand, each with the spot price of the one that follows it."""
    return {
        plain.name: {
            "cpus": plain.cores,
            "memory": f"{4 * plain.cores} GiB",
            "accelerators": int(plain.gpus > 0),
            "accelerator": KINDS[plain.gpus],
            "price": round(plain.price * place.price * random.uniform(0.93, 1.07), 4),
            "spot": True,
            "spot_price": round(spot.price * place.price * random.uniform(0.93, 1.07), 4),
            "watts": round(1000 * plain.kilowatts, 1),
            "boot_seconds": round(random.uniform(36, 360)),
        }
        for plain, spot in zip(machines[::2], machines[1::2], strict=True)
    }


def _steps(random: Random, pipelines: Pipelines) -> str:
    """Every step makes one output, as large as the largest of what it is drawn to hand on."""
    reads: dict[str, list[str]] = {name: [] for name in pipelines.works}
    sizes = dict.fromkeys(pipelines.works, LAST)
    for flow in pipelines.flows:
        if flow.maker:
            sizes[flow.maker] = max(sizes[flow.maker], round(1e9 * flow.gigabytes))
            for reader in flow.readers:
                reads[reader].append(flow.maker)
    sources = {reader for flow in pipelines.flows if not flow.maker for reader in flow.readers}
    defined, called = [], []
    for name, work in pipelines.works.items():
        settings = [*_needs(work), f"output={sizes[name]}", f"resumes={random.random() < SPOT}"]
        if name in sources and (labels := _labels(random)):
            settings.append(f"labels={labels}")
        inputs = list(dict.fromkeys(reads[name]))
        parameters = ", ".join(f"{one}: list" for one in inputs)
        defined.append(
            f"@step({', '.join(settings)})\ndef {name}({parameters}) -> list:\n    return []\n"
        )
        called.append(f"    v{name} = {name}({', '.join(f'v{one}' for one in inputs)})\n")
    body = "".join(called) + f"    return v{name}\n"
    head = "from freehold import pipeline, step\n"
    whole = f"@pipeline\ndef {PIPELINE}() -> list:\n{body}"
    return "\n\n".join([head, *defined, whole])


def _needs(work: Work) -> list[str]:
    hours = work.core_hours / work.cores**0.85 + work.gpu_hours
    found = [f"seconds={max(1, round(3600 * hours))}", f"cpus={work.cores}"]
    return [*found, "accelerators=1"] if work.gpu_hours else found


def _labels(random: Random) -> dict[str, str]:
    home = {"residency": "EU"} if random.random() < LABELLED else {}
    return home | ({"pii": ""} if random.random() < LABELLED else {})


def _closed(random: Random, steps: list[str], places: list[Place]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for _ in range(max(1, round(CLOSED * len(steps)))):
        place = random.choice([one.name for one in places if one.name != HOME])
        found.setdefault(random.choice(steps), []).append(place)
    return found
