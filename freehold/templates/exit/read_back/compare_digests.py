"""Compare every file with the list of what was written: python compare_digests.py FOLDER"""

import json
import sys
from hashlib import file_digest
from pathlib import Path


def read(folder):
    faults, size = [], 0
    listed = json.loads((folder / "manifest.json").read_bytes())["files"]
    for one in listed:
        path = folder / one["path"]
        if not path.is_file():
            faults.append(f"{one['path']}: it is gone")
            continue
        with path.open("rb") as file:
            digest = "sha256:" + file_digest(file, "sha256").hexdigest()
        size += path.stat().st_size
        if digest != one["digest"]:
            faults.append(f"{one['path']}: it is not what was written")
    known = {one["path"] for one in listed} | {"manifest.json"}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in known:
            faults.append(f"{name}: nobody wrote it")
    return {
        "read_by": ["SHA-256"],
        "checks": len(listed),
        "figures": f"{len(listed):,} files, {size:,} bytes",
        "faults": faults,
    }


if __name__ == "__main__":
    report = read(Path(sys.argv[1]))
    print(json.dumps(report))
    sys.exit(bool(report["faults"]))
