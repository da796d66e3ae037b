"""What can be read: each calls the verb that the command of its name calls, and says the same."""

from typing import Any

from freehold.app.conflict.conflicts import conflicts
from freehold.app.history.why import why
from freehold.app.loop.signals import signals
from freehold.app.loop.status import status
from freehold.app.model.inspection import inspect
from freehold.app.model.models import models
from freehold.app.run.runs import runs, traceback_of
from freehold.app.site.health.overview import look_at_sites
from freehold.app.site.opening import Site
from freehold.app.work.work import find_work, work
from freehold.console.request import Asked

Read = dict[str, Any]


def read_status(site: Site, _: Asked) -> Read:
    return status(site)


def read_models(site: Site, asked: Asked) -> Read:
    return {"shape": 1, "models": models(site, asked.place.get("model", ""))}


def read_version(site: Site, asked: Asked) -> Read:
    return inspect(site, _version(asked)).as_json()


def read_why(site: Site, asked: Asked) -> Read:
    return why(site, _version(asked)).as_json()


def read_runs(site: Site, asked: Asked) -> Read:
    run = asked.place.get("run", "")
    rows = runs(site, run)
    told, erased = traceback_of(site, run) if run else ("", False)
    return {"shape": 1, "runs": rows, "traceback": told, "traceback_erased": erased}


def read_signals(site: Site, asked: Asked) -> Read:
    return signals(site, asked.query.get("model", ""))


def read_conflicts(site: Site, asked: Asked) -> Read:
    found = conflicts(site, asked.flag("all"))
    return {"shape": 1, "conflicts": [one.as_json() for one in found]}


def read_sites(site: Site, _: Asked) -> Read:
    """Asks the stores, and so may take as long as they do."""
    return look_at_sites(site).as_json()


def read_work(site: Site, asked: Asked) -> Read:
    if "work" in asked.place:
        return {"shape": 1, "work": find_work(site, asked.place["work"])}
    return {"shape": 1, "work": work(site, not asked.flag("open"))}


def _version(asked: Asked) -> str:
    return f"{asked.place['model']}@{asked.place['version']}"
