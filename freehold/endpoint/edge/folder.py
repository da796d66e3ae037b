"""Where the things of a bundle lie.

| path | what |
| --- | --- |
| `run` → `current/run`, `current` → `generations/N` | replaced by rename, and with them all below |
| `site.pub` | the key that is believed; no update changes it |
| `generations/N/` | what was signed: manifest, libraries, model; never written to |
| `generations/N/model-lib/` | libraries of a model that answers in a process of its own |
| `state/serving/` | what the endpoint reads, by links to `current`, and what it writes |
| `state/in-use/N` | locked by every process that runs from N |
"""

from dataclasses import dataclass
from pathlib import Path

from freehold.domain.bundle import BundleManifest
from freehold.domain.errors import StorageFailed
from freehold.endpoint.edge.launch import CURRENT, KEY, STATE
from freehold.endpoint.keeping import TOKEN_KEY
from freehold.endpoint.loading import MODELS, ROUTING

SERVING = "serving"


@dataclass(frozen=True)
class Bundle:
    root: Path
    place: Path
    """The generation that this process runs from."""
    manifest: BundleManifest
    """Of that generation."""

    @property
    def state(self) -> Path:
        return self.root / STATE

    @property
    def serving(self) -> Path:
        """The serving folder, the same whatever generation is current."""
        return self.state / SERVING

    def prepare(self) -> None:
        """The links of the serving folder. Raises StorageFailed."""
        links = {
            KEY: f"../../{KEY}",
            ROUTING: f"../../{CURRENT}/{SERVING}/{ROUTING}",
            MODELS: f"../../{CURRENT}/{SERVING}/{MODELS}",
            TOKEN_KEY: f"../../{CURRENT}/{SERVING}/{TOKEN_KEY}",
        }
        try:
            self.serving.mkdir(parents=True, exist_ok=True)
            for name, target in links.items():
                link = self.serving / name
                if link.is_symlink() and str(link.readlink()) == target:
                    continue
                part = self.serving / f".{name}.part"
                part.unlink(missing_ok=True)
                part.symlink_to(target)
                part.replace(link)
        except OSError as exc:
            raise StorageFailed(
                f"{self.serving} cannot be written",
                why=str(exc),
                hint="the log and the events lie there: make room, or make it writable",
            ) from exc
