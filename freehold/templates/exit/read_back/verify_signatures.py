"""Verify each model's signature, and that it does not hold when a byte is changed.

python verify_signatures.py FOLDER
"""

import json
import shutil
import sys
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory

import model_signing
from cryptography.exceptions import InvalidSignature

REFUSED = (InvalidSignature, ValueError, TypeError, AttributeError, LookupError, OSError)
"""What the library raises; it has no error of its own."""


def verify(payload, signature, key):
    """Every file counts, those that the library would leave out by default too."""
    hashing = model_signing.hashing.Config().use_file_serialization()
    hashing = hashing.set_ignored_paths(paths=[], ignore_git_paths=False)
    verifying = model_signing.verifying.Config().set_hashing_config(hashing)
    verifying.use_elliptic_key_verifier(public_key=key).verify(payload, signature)


def refuses_a_changed_byte(payload, signature, key):
    with TemporaryDirectory() as place:
        copy = Path(place) / "payload"
        shutil.copytree(payload, copy)
        file = max(
            (path for path in copy.rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
        )
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data))
        try:
            verify(copy, signature, key)
        except REFUSED:
            return True
    return False


def read(folder):
    faults, good, refused = [], 0, 0
    versions = json.loads((folder / "models" / "index.json").read_bytes())
    for version in versions:
        place, key = folder / version["folder"], folder / version["key"]
        try:
            verify(place / "payload", place / "model.sig", key)
        except REFUSED as error:
            faults.append(f"{version['version']}: {type(error).__name__}: {error}")
            continue
        good += 1
        if refuses_a_changed_byte(place / "payload", place / "model.sig", key):
            refused += 1
        else:
            faults.append(f"{version['version']}: verified although a byte was changed")
    return {
        "read_by": [f"model-signing {installed('model-signing')}"],
        "checks": len(versions),
        "figures": f"{good:,} good, a changed byte refused in {refused:,}",
        "faults": faults,
    }


if __name__ == "__main__":
    report = read(Path(sys.argv[1]))
    print(json.dumps(report))
    sys.exit(bool(report["faults"]))
