"""The product's three drills on the sites that stand, from where each belongs."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from life import HOME, Life
from places import NamespacePlaces, ProxiedPlaces
from world import SITES, World

from freehold.app.drill.offline.drill import offline_drill
from freehold.app.drill.rebuild.drill import rebuild_drill, require_rebuilt
from freehold.app.project.reading import OpenProject, read_project
from freehold.cli import drill_offline, drill_rebuild

Tell = Callable[[str], None]
ELSEWHERE = tuple(site for site in SITES if site != HOME)
"""Where what ran at home is rebuilt: another kind of store each."""


class Drills:
    """Each gives its report for machines, and shows it where that is asked for."""

    def __init__(self, world: World, life: Life, tell: Tell, *, quiet: bool) -> None:
        self._world, self._life = world, life
        self._tell, self._quiet = tell, quiet
        self._proxied = None if world.network else ProxiedPlaces(world)

    def agent_environment(self, site: str) -> Mapping[str, str]:
        """What an agent needs so that a cut cuts it, too: nothing where links go down."""
        return self._proxied.agent_environment(site) if self._proxied else {}

    def close(self) -> None:
        if self._proxied:
            self._proxied.end()

    def offline(self, cut: str, hours: float) -> dict[str, Any]:
        """From a site that is not cut."""
        project = self._at(next(site for site in SITES if site != cut))
        self._say(project, f"offline --cut {cut} --hours {hours:g}")
        places = self._proxied or NamespacePlaces(self._world)
        report = offline_drill(project, cut, hours=hours, places=places, tell=self._tell)
        if not self._quiet:
            drill_offline.show(report)
        return report.as_json()

    def rebuild(self) -> dict[str, Any]:
        """By site. What ran at home runs anew at each of the others, in that site's network."""
        return {site: self._rebuild(site) for site in ELSEWHERE}

    def _rebuild(self, site: str) -> dict[str, Any]:
        project = self._at(HOME)
        self._say(project, f"rebuild --at {site}")
        places = NamespacePlaces(self._world) if self._world.network else None
        report = rebuild_drill(project, site, places=places, tell=self._tell)
        if not self._quiet:
            drill_rebuild.show(report)
        require_rebuilt(report)
        return report.as_json()

    def exit(self, folder: Path) -> dict[str, Any]:
        """At home, which made everything and so holds it."""
        arguments = ("drill", "exit", "--to", str(folder))
        if not self._quiet:
            self._life.show(HOME, *arguments)
            return {}
        report: dict[str, Any] = self._life.freehold(HOME, *arguments)
        return report

    def _at(self, site: str) -> OpenProject:
        """The stores' keys are put into the environment of this process, too: it looks after what
        a drill leaves, and without networks of their own the sites' processes get them from it."""
        os.environ.update(self._world.environment(site))
        return read_project(self._world.checkout(site), site)

    def _say(self, project: OpenProject, drill: str) -> None:
        self._tell(f"{project.spec.site}$ freehold drill {drill}")


def show_agent(site: str, said: list[str]) -> None:
    for line in said:
        click.echo(f"meanwhile, the agent of {site}: {line}")
