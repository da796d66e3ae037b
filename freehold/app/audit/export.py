"""`freehold audit export`: the history as JSON lines that others verify."""

from pathlib import Path

from freehold.app.history.logs import Log, held_logs
from freehold.app.site.opening import Site
from freehold.domain.errors import Refused, StorageFailed
from freehold.governance.export import export_lines

PUBLIC_KEY = "site.pub"
VERIFIER = Path(__file__).parents[2] / "templates" / "verify_ledger.py"
"""Verifies an export with nothing of Freehold's; goes into its folder."""


OTHERS = "others"
"""Folder of the logs of other writers, each in a folder of its name."""


def export(site: Site, folder: Path) -> dict[str, int]:
    """Write entries, checkpoints, the public key and a script that verifies them to a new or empty
    folder; those of other writers to folders in it. Returns lines per file."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(
            f"'{folder}' is there already",
            why="it is not an empty folder",
            hint="choose another one",
            code="audit.folder-exists",
        )
    own, *others = held_logs(site)
    counts = write_log(own, folder)
    for log in others:
        place = f"{OTHERS}/{log.writer}"
        for name, lines in write_log(log, folder / place).items():
            counts[f"{place}/{name}"] = lines
    return counts


def write_log(log: Log, folder: Path) -> dict[str, int]:
    """One log, its key and the script. Returns lines per file. Raises StorageFailed."""
    counts: dict[str, int] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in export_lines(log):
            counts[name] = 0
            with (folder / name).open("wb") as file:
                for line in lines:
                    file.write(line)
                    counts[name] += 1
        (folder / PUBLIC_KEY).write_bytes(log.key.pem)
        (folder / VERIFIER.name).write_bytes(VERIFIER.read_bytes())
    except OSError as exc:
        raise StorageFailed(
            f"could not write to '{folder}'",
            why=str(exc),
            hint="make room or choose another folder, and export again",
        ) from exc
    return counts
