"""`freehold audit export`: the history as JSON lines that others verify."""

from pathlib import Path

from freehold.app.site.opening import Site
from freehold.domain.errors import Refused, StorageFailed
from freehold.governance.export import export_lines

PUBLIC_KEY = "site.pub"


def export(site: Site, folder: Path) -> dict[str, int]:
    """Write entries, checkpoints and the public key to a new or empty folder; lines per file."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(
            f"'{folder}' is there already",
            why="it is not an empty folder",
            hint="choose another one",
            code="audit.folder-exists",
        )
    counts: dict[str, int] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in export_lines(site.ledger):
            counts[name] = 0
            with (folder / name).open("wb") as file:
                for line in lines:
                    file.write(line)
                    counts[name] += 1
        (folder / PUBLIC_KEY).write_bytes(site.signer.public.pem)
    except OSError as exc:
        raise StorageFailed(
            f"could not write to '{folder}'",
            why=str(exc),
            hint="make room or choose another folder, and export again",
        ) from exc
    return counts
