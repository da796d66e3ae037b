"""A regular installation of Freehold, in a folder, as pip would make it from a wheel.

Where Freehold is worked on it is installed in place, and what is so cannot be put into a bundle.
Documents and tests that make bundles put such a folder before the other one: PYTHONPATH.
"""

import shutil
import sys
from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
WHEEL = "Wheel-Version: 1.0\nGenerator: freehold docs\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
KEPT = {"METADATA": "PKG-INFO", "entry_points.txt": "entry_points.txt"}
"""Name → as the build's own folder calls it, which may come first."""


def install(folder: Path) -> Path:
    """The folder, to be put on a path."""
    own = distribution("freehold")
    shutil.copytree(
        ROOT / "freehold", folder / "freehold", ignore=shutil.ignore_patterns("__pycache__")
    )
    about = folder / f"freehold-{own.version}.dist-info"
    about.mkdir()
    for name, other in KEPT.items():
        (about / name).write_text(own.read_text(name) or own.read_text(other) or "")
    (about / "WHEEL").write_text(WHEEL)
    (about / "INSTALLER").write_text("freehold docs\n")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    record = about / "RECORD"
    lines = [_recorded(path, folder) for path in paths]
    record.write_text("".join([*lines, f"{record.relative_to(folder).as_posix()},,\n"]))
    return folder


def _recorded(path: Path, folder: Path) -> str:
    data = path.read_bytes()
    value = urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode()
    return f"{path.relative_to(folder).as_posix()},sha256={value},{len(data)}\n"


if __name__ == "__main__":
    print(install(Path(sys.argv[1])))
