"""Twins of a project's sites: what this machine holds of them, under new keys, at another place."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from freehold.app.drill.production import begun_sites
from freehold.app.drill.project_copy import copy_project
from freehold.app.history.logs import held_logs
from freehold.app.project.reading import OpenProject
from freehold.app.site.opening import Site, open_site
from freehold.domain.checkpoint import Checkpoint
from freehold.ports.ledger import KeepsLogs, Stretch

_BATCH = 5_000
"""Entries that are received at once, or a few more: up to a checkpoint."""


@dataclass(frozen=True)
class Twin:
    site: str
    root: Path
    key: str
    """Fingerprint."""
    writer: str
    learned: int
    """Entries of production that it knows."""


def make_twins(project: OpenProject, folder: Path) -> dict[str, Twin]:
    """One of each site. Production is read and never written to.

    Raises NotSupported for a ledger that keeps no other logs, and what opening a site raises.
    """
    return {name: _make(project, name, folder / name) for name in project.site_names}


def _make(project: OpenProject, name: str, root: Path) -> Twin:
    copy_project(project.root, root)
    begun = begun_sites(project)
    with open_site(root, site=name) as twin:
        ledger = twin.ledger
        learned = 0
        for source in begun:
            with open_site(project.root, site=source) as real:
                learned += _learn(twin, ledger, real)
        for source in (name,) if name in begun else begun[:1]:
            _share(project.state_of(source) / "objects", twin.folder / "objects")
        return Twin(name, root, twin.signer.public.fingerprint, ledger.writer, learned)


def _learn(twin: Site, ledger: KeepsLogs, real: Site) -> int:
    """All logs that a site of production holds, and the keys that they verify by."""
    known = {log.writer: log.size for log in ledger.logs()}
    new = 0
    for log in held_logs(real):
        twin.keyring.add(log.key)
        lines = [line for _, line in log.lines(known.get(log.writer, 0))]
        heads = [one for one in log.checkpoints() if one.size > known.get(log.writer, 0)]
        for stretch in _stretches(log.writer, known.get(log.writer, 0), lines, heads):
            new += ledger.receive([stretch])
    return new


def _stretches(
    writer: str, first: int, lines: Sequence[bytes], heads: Sequence[Checkpoint]
) -> Iterator[Stretch]:
    """An entry that no checkpoint covers is not passed on."""
    held: list[Checkpoint] = []
    at = first
    for head in (one for one in heads if one.size <= first + len(lines)):
        held.append(head)
        if head.size - at >= _BATCH:
            yield Stretch(writer, at, lines[at - first : head.size - first], held)
            at, held = head.size, []
    if held:
        yield Stretch(writer, at, lines[at - first : held[-1].size - first], held)


def _share(source: Path, target: Path) -> None:
    """By hard links where the disk has them: a store replaces a file, and never writes into it."""
    for folder, folders, names in os.walk(source):
        folders[:] = [one for one in folders if not one.startswith("~")]
        inside = target / Path(folder).relative_to(source)
        inside.mkdir(parents=True, exist_ok=True)
        for name in names:
            copy = inside / name
            if copy.exists():
                continue
            try:
                os.link(Path(folder) / name, copy)
            except OSError:
                shutil.copy2(Path(folder) / name, copy)
