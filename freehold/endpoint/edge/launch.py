#!/usr/bin/env python3
"""Starts a bundle, once every file of it is what the site's key signed.

This file is also the bundle's `run`. It imports nothing but the standard library, and nothing from
the bundle before all of it has verified: so it reads the signature by itself. Whoever can write
into the bundle can write here too: what it finds is damage and change that stops short of this
file, and `freehold bundles --check FOLDER`, from outside, finds the rest.

Laws
- Only what the bundle holds and the standard library are imported, whatever the environment says:
  the interpreter is started anew, isolated, without site packages.
- Nothing is written into what was signed.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import platform
import re
import sys
import sysconfig
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

KIND = "freehold.bundle/1"
MANIFEST, SIGNATURE, RUN, LIBRARIES = "bundle.json", "bundle.sig", "run", "lib"
KEY, CURRENT, GENERATIONS, STATE = "site.pub", "current", "generations", "state"
TOP = frozenset({RUN, KEY, CURRENT, GENERATIONS, STATE})
"""All that lies in a bundle's folder."""
UNSIGNED = frozenset({MANIFEST, SIGNATURE})
_BLOCK = 2**20

# NIST P-256 (FIPS 186-4, D.1.2.3).
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""Before the point, in the DER of a public key of this curve (RFC 5480)."""


class Unsound(Exception):
    """The bundle is not what was signed, or cannot run here."""

    def __init__(self, code: str, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.code, self.what, self.why, self.hint = code, what, why, hint

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.what}"]
        lines += ["  because: " + self.why] if self.why else []
        return "\n".join(lines + (["  hint: " + self.hint] if self.hint else []))


def main(arguments: list[str]) -> int:
    try:
        _isolate(arguments)
        place = Path(__file__).resolve().parent
        if place.parent.name != GENERATIONS:
            raise Unsound(
                "bundle.misplaced",
                f"{place} does not lie in a bundle",
                hint="start `run` in the bundle's folder; copy bundles with `cp -a` or as a tar",
            )
        root = place.parent.parent
        _hold(root, place.name)
        manifest = checked(root, place)
        require_python(manifest["python"])
    except Unsound as fault:
        print(fault, file=sys.stderr)
        return 1
    sys.path.append(str(place / LIBRARIES))
    code: int = import_module("freehold.endpoint.edge.commands").command(root, place, arguments)
    return code


def _isolate(arguments: list[str]) -> None:
    """The same process, begun anew: without the environment's paths, without site packages, and
    without writing compiled code beside what was signed."""
    flags = sys.flags
    if not (flags.isolated and flags.no_site and flags.dont_write_bytecode):
        script = str(Path(__file__).absolute())
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-B", script, *arguments])


_held: list[int] = []
"""Descriptors of locks, for as long as the process lives."""


def _hold(root: Path, generation: str) -> None:
    """No update lets go of what this process runs from."""
    try:
        (root / STATE / "in-use").mkdir(parents=True, exist_ok=True)
        held = os.open(str(root / STATE / "in-use" / generation), os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(held, fcntl.LOCK_SH)
    except OSError as exc:
        raise Unsound(
            "bundle.not-writable",
            f"{root / STATE} cannot be written",
            str(exc),
            "the log, the events and the locks lie there: make it writable",
        ) from exc
    _held.append(held)


def require_python(wanted: Mapping[str, str]) -> None:
    """As `this_python` gives them. Raises Unsound."""
    here = this_python()
    for name, spoken in (
        ("implementation", "Python"),
        ("version", "version of Python"),
        ("abi", "platform"),
        ("machine", "processor"),
    ):
        if here[name] != wanted[name]:
            raise Unsound(
                "bundle.other-python",
                f"this bundle does not run with {sys.executable}",
                f"it was made for the {spoken} {wanted[name]}, and this is {here[name]}",
                f"start it with another: python{wanted['version']} run",
            )


def this_python() -> dict[str, str]:
    """`abi` is what the names of compiled modules end with."""
    return {
        "implementation": platform.python_implementation(),
        "version": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "abi": str(sysconfig.get_config_var("EXT_SUFFIX")),
        "machine": platform.machine(),
    }


def checked(root: Path, place: Path) -> dict[str, Any]:
    """The manifest of a whole bundle, if all of it is what the pinned key signed.

    Raises Unsound for the first file that is not, by name.
    """
    for path in root.iterdir():
        if path.name not in TOP:
            raise _additional(path.relative_to(root))
    return checked_generation(place, read(root / KEY))


def checked_generation(place: Path, pem: bytes) -> dict[str, Any]:
    """Of one generation. Raises Unsound."""
    manifest = manifest_of(read(place / MANIFEST), read(place / SIGNATURE), pem)
    files = manifest["files"]
    for path, name in _below(place):
        if name not in files and name not in UNSIGNED:
            raise _additional(Path(name))
        if path.is_symlink() or not path.is_file():
            raise Unsound("bundle.altered", f"{name} is no plain file", hint=_AGAIN)
    for name in sorted(files):
        entry = files[name]
        path = place / name
        if not path.exists():
            raise Unsound("bundle.missing", f"{name} is missing", hint=_AGAIN)
        if path.stat().st_size != entry["size"] or digest(path) != entry["sha256"]:
            raise Unsound(
                "bundle.altered",
                f"{name} is not what was signed",
                "its size or digest is another one",
                _AGAIN,
            )
    return manifest


_AGAIN = "copy the bundle again from where it was made; do not run it"


def _additional(name: Path) -> Unsound:
    what = f"{name.as_posix()} does not belong to the bundle"
    return Unsound("bundle.additional", what, "no signed list names it", _AGAIN)


def _below(place: Path) -> list[tuple[Path, str]]:
    """Everything that is no folder; what a link leads to is not followed."""
    found = []
    for folder, names, files in os.walk(str(place)):
        links = [name for name in names if (Path(folder) / name).is_symlink()]
        for name in files + links:
            path = Path(folder) / name
            found.append((path, path.relative_to(place).as_posix()))
    return sorted(found, key=lambda one: one[1])


def manifest_of(document: bytes, signature: bytes, pem: bytes) -> dict[str, Any]:
    """What a manifest says, if the key's holder signed its very bytes. Raises Unsound."""
    if not verifies(pem, document, signature):
        raise Unsound(
            "bundle.unsigned",
            f"{MANIFEST} is not signed by the site's key",
            f"its signature does not verify by {KEY}",
            _AGAIN,
        )
    try:
        manifest = json.loads(document.decode())
        if manifest["kind"] != KIND:
            raise ValueError(f"its kind is not {KIND}")
        for name, entry in manifest["files"].items():
            if not is_plain(name) or name in UNSIGNED:
                raise ValueError(f"{name!r} is no name of a file in a bundle")
            int(entry["size"]), bytes.fromhex(entry["sha256"])
        int(manifest["number"]), dict(manifest["python"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise Unsound("bundle.malformed", MANIFEST + " cannot be read", str(exc)) from exc
    told: dict[str, Any] = manifest
    return told


def is_plain(name: str) -> bool:
    """Whether it is a relative POSIX path that stays below where it begins."""
    parts = name.split("/")
    return not any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts)


def read(path: Path) -> bytes:
    """Raises Unsound."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise Unsound("bundle.missing", f"{path} cannot be read", str(exc), _AGAIN) from exc


def digest(path: Path) -> str:
    """SHA-256, in hexadecimal."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            whole.update(block)
    return whole.hexdigest()


def fingerprint(pem: bytes) -> str:
    """`sha256:` of the DER SubjectPublicKeyInfo. Raises Unsound."""
    return "sha256:" + hashlib.sha256(_der(pem)).hexdigest()


def verifies(pem: bytes, data: bytes, signature: bytes) -> bool:
    """ECDSA on P-256 over SHA-256 (FIPS 186-4, 6.4). Of public things only: its time tells all."""
    point = _der(pem)[len(_SPKI) + 1 :]
    key = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
    if max(key) >= _P or (key[1] ** 2 - key[0] ** 3 + 3 * key[0] - _B) % _P:
        return False
    pair = _integers(signature)
    if pair is None or not all(0 < one < _N for one in pair):
        return False
    r, s = pair
    inverse = pow(s, _N - 2, _N)
    hashed = int.from_bytes(hashlib.sha256(data).digest(), "big")
    found = _sum(_times(hashed * inverse % _N, _G), _times(r * inverse % _N, key))
    return found is not None and found[0] % _N == r


def _der(pem: bytes) -> bytes:
    armour = rb"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*"
    match = re.fullmatch(armour, pem)
    try:
        der = base64.b64decode(match.group(1)) if match else b""
    except ValueError:
        der = b""
    if len(der) != len(_SPKI) + 65 or not der.startswith(_SPKI + b"\x04"):
        raise Unsound("bundle.key", f"{KEY} is no public key of the kind P-256")
    return der


def _integers(signature: bytes) -> tuple[int, int] | None:
    """Of a DER sequence of two, in its one shortest form; None for anything else."""
    if len(signature) < 8 or signature[0] != 0x30 or signature[1] != len(signature) - 2:
        return None
    found, rest = [], signature[2:]
    while rest:
        if len(rest) < 3 or rest[0] != 2 or not 0 < rest[1] <= len(rest) - 2:
            return None
        whole = rest[2 : 2 + rest[1]]
        if whole[0] & 0x80 or (whole[0] == 0 and len(whole) > 1 and not whole[1] & 0x80):
            return None
        found.append(int.from_bytes(whole, "big"))
        rest = rest[2 + rest[1] :]
    return (found[0], found[1]) if len(found) == 2 else None


def _times(factor: int, point: tuple[int, int] | None) -> tuple[int, int] | None:
    total: tuple[int, int] | None = None
    while factor:
        if factor & 1:
            total = _sum(total, point)
        point = _sum(point, point)
        factor >>= 1
    return total


def _sum(left: tuple[int, int] | None, right: tuple[int, int] | None) -> tuple[int, int] | None:
    if left is None or right is None:
        return left or right
    if left[0] == right[0]:
        if (left[1] + right[1]) % _P == 0:
            return None
        slope = 3 * (left[0] ** 2 - 1) * pow(2 * left[1], _P - 2, _P)
    else:
        slope = (right[1] - left[1]) * pow(right[0] - left[0], _P - 2, _P)
    x = (slope * slope - left[0] - right[0]) % _P
    return x, (slope * (left[0] - x) - left[1]) % _P


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
