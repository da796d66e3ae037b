"""Drives a run in a process of its own: driver.py FOLDER PIPELINE PLACES PATIENCE."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from freehold.app.run.elsewhere import Elsewhere
from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.app.site.opening import open_site
from freehold.domain.placement import Place

if __name__ == "__main__":
    folder, pipeline, told, patience = sys.argv[1:]
    places = {name: Place.from_json(one) for name, one in json.loads(told).items()}
    with open_site(Path(folder)) as site:
        planned = replace(plan_run(site, pipeline), places=places)
        run(site, planned, elsewhere=Elsewhere(every=0.1, grace=1.0, patience=float(patience)))
