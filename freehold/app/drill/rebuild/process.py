"""Starts the process that runs a pipeline anew, and hears what it made."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from freehold.app.drill.offline.places import Places, spawn
from freehold.app.drill.rebuild.anew import RebuildOrders
from freehold.app.project.reading import SITE_VARIABLE
from freehold.domain.errors import Failed

ANEW = (sys.executable, "-m", "freehold.cli.main", "drill", "anew")
"""Runs the pipeline when the path of its orders is put behind it."""


def run_anew(orders: RebuildOrders, path: Path, places: Places | None) -> dict[str, Any]:
    """In a process of its own, as a machine at that site would. Raises what it met."""
    orders.write(path)
    environment = {SITE_VARIABLE: orders.site, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*ANEW, str(path)]
    process: subprocess.Popen[str] = (
        places.start(orders.site, command, environment) if places else spawn(command, environment)
    )
    out, _ = process.communicate()
    said: dict[str, Any] = json.loads(out) if out.startswith("{") else {}
    if "made" in said:
        return said
    error = said.get("error", {})
    raise Failed(
        error.get("what", f"the process at {orders.site} ended with {process.returncode}"),
        why=error.get("because", "what it printed stands above"),
        hint=error.get("hint", "mend what it says and repeat the drill"),
        code=error.get("code", "drill.process-ended"),
    )
