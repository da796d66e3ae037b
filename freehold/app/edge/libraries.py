"""The installed distributions that a bundle takes with it, file by file as they were installed.

Each distribution says in its RECORD which files are its own, with their digests (PyPA, "Recording
installed projects"). What it does not say cannot be copied, and is refused by name.
"""

import csv
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from hashlib import new
from importlib.metadata import (
    Distribution,
    FileHash,
    PackageNotFoundError,
    PackagePath,
    distribution,
)
from importlib.metadata import packages_distributions as distributions_of_modules
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.tags import parse_tag, sys_tags
from packaging.utils import canonicalize_name

from freehold.app.edge.closure import OWN, Closure
from freehold.domain.errors import Fault, Refused

RECORD = "RECORD"
_OF_THE_INSTALLER = frozenset({"INSTALLER", "REQUESTED", "direct_url.json", RECORD})
"""They say how it came into this environment, and would say it of the bundle."""
_COMPILED = frozenset({".pyc", ".pyo"})


@dataclass(frozen=True)
class Libraries:
    versions: Mapping[str, str]
    """Name of a distribution → version."""
    files: Mapping[str, bytes | Path]
    """Where it lies below `lib/` → its bytes, or the file that has them."""


def libraries(
    needed: Closure, extras: Iterable[str], faster: Iterable[str], also: Iterable[str] = ()
) -> Libraries:
    """What these modules need, with all that it declares to need itself.

    `extras`: of ours, whose requirements are needed too; `faster`: modules that are taken where
    they are installed; `also`: names of distributions. Raises Refused `bundle.libraries` with every
    distribution that cannot be put into a bundle.
    """
    own = distribution(OWN)
    here = Environment()
    waiting = [(name, frozenset[str]()) for name in also if name != OWN]
    for module in sorted(needed.libraries | needed.optional | set(faster)):
        waiting += here.wanted(module, is_sure=module in needed.libraries)
    for extra in extras:
        waiting += _required(own, frozenset({extra}), only_of_extras=True)
    found, faults = here.with_all(waiting)
    return _copied({OWN: own, **found}, frozenset(needed.files), faults)


def model_libraries(
    paths: Sequence[str], modules: Iterable[str], distributions: Iterable[str]
) -> Libraries:
    """Of the environment whose interpreter looks in `paths`. Raises as `libraries` does."""
    there = Environment(paths)
    waiting = [(name, frozenset[str]()) for name in distributions]
    for module in modules:
        waiting += there.wanted(module, is_sure=True)
    found, faults = there.with_all(waiting)
    return _copied(found, frozenset(), faults)


def _copied(
    found: Mapping[str, Distribution], own: frozenset[str], faults: list[Fault]
) -> Libraries:
    files: dict[str, bytes | Path] = {}
    for name, one in sorted(found.items()):
        only = own if name == OWN else None
        if whole := _faults(name, one):
            faults += whole
            continue
        for place, content in _files(name, one, only, faults):
            files[place] = content
    if faults:
        raise Refused(
            "the runtime cannot be put into a bundle",
            why=f"{len(faults)} of its libraries cannot be copied as they were installed",
            hint="install them from wheels, and not as editable ones, then bundle again",
            code="bundle.libraries",
            faults=faults,
        )
    return Libraries({name: one.version for name, one in sorted(found.items())}, files)


Named = tuple[str, frozenset[str]]
"""Name of a distribution, and extras of it."""


class Environment:
    """What is installed where an interpreter looks: this one, or that of `paths`."""

    def __init__(self, paths: Sequence[str] | None = None) -> None:
        self._paths = None if paths is None else list(paths)
        self._by_module = distributions_of_modules() if paths is None else self._modules()

    def distribution(self, name: str) -> Distribution:
        """Raises PackageNotFoundError."""
        if self._paths is None:
            return distribution(name)
        found = next(iter(Distribution.discover(name=name, path=self._paths)), None)
        if found is None:
            raise PackageNotFoundError(name)
        return found

    def wanted(self, module: str, *, is_sure: bool) -> Iterator[Named]:
        """The distributions that a module is from."""
        if names := self._having(module):
            yield from ((name, frozenset()) for name in names)
        elif is_sure:
            # One without a RECORD has no modules, as far as is known: it may be called as they are.
            yield module.partition(".")[0], frozenset()

    def with_all(self, wanted: Iterable[Named]) -> tuple[dict[str, Distribution], list[Fault]]:
        """By canonical name, with what they declare to need; and what is not there."""
        faults, found = list[Fault](), dict[str, Distribution]()
        waiting, seen = list(wanted), set[Named]()
        while waiting:
            name, asked = waiting.pop()
            if (name, asked) in seen:
                continue
            seen.add((name, asked))
            try:
                one = self.distribution(name)
            except PackageNotFoundError:
                why = "something needs it, and it is not installed"
                faults.append(Fault("bundle.missing", why, name))
                continue
            found[canonicalize_name(one.metadata["Name"])] = one
            waiting += _required(one, asked)
        return found, faults

    def _having(self, module: str) -> Sequence[str]:
        """Where several share its first name, as those of a namespace do, those that have files
        below as much of it as any has."""
        names = sorted(set(self._by_module.get(module.partition(".")[0], ())))
        while len(names) > 1 and "." in module:
            place = module.replace(".", "/")
            starts = (f"{place}/", f"{place}.")
            found = [
                name
                for name in names
                if any(
                    one.as_posix().startswith(starts) for one in self.distribution(name).files or ()
                )
            ]
            if found:
                return found
            module = module.rpartition(".")[0]
        return names

    def _modules(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for one in Distribution.discover(path=self._paths or []):
            for path in _recorded(one):
                found.setdefault(path.parts[0].partition(".")[0], []).append(one.metadata["Name"])
        return found


def _required(
    one: Distribution, extras: frozenset[str], *, only_of_extras: bool = False
) -> Iterator[tuple[str, frozenset[str]]]:
    """By the markers of dependencies, as they are in this interpreter."""
    for line in one.requires or ():
        wanted = Requirement(line)
        plainly = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
        for_extras = wanted.marker is not None and any(
            wanted.marker.evaluate({"extra": extra}) for extra in extras
        )
        if (plainly and not only_of_extras) or (for_extras and not plainly):
            yield canonicalize_name(wanted.name), frozenset(wanted.extras)


def _faults(name: str, one: Distribution) -> list[Fault]:
    """Of the whole distribution."""
    said = one.read_text("direct_url.json")
    if said and json.loads(said).get("dir_info", {}).get("editable"):
        return [
            Fault("bundle.editable", "it is installed in place, from where it is worked on", name)
        ]
    if one.read_text(RECORD) is None:
        return [Fault("bundle.no-record", "its installation has no RECORD of its files", name)]
    tags = HeaderParser().parsestr(one.read_text("WHEEL") or "").get_all("Tag", [])
    fitting = frozenset(sys_tags())
    if tags and not any(fitting & parse_tag(tag) for tag in tags):
        why = f"it was built for {', '.join(tags)}"
        return [Fault("bundle.other-platform", why, name)]
    return []


def _files(
    name: str, one: Distribution, only: frozenset[str] | None, faults: list[Fault]
) -> Iterator[tuple[str, bytes | Path]]:
    """`only`: of the code, these; what is told of the distribution comes along whole."""
    kept = []
    about = _about(one)
    for path in _recorded(one):
        place = PurePosixPath(path.as_posix())
        if not _is_wanted(place, about, only):
            continue
        source = Path(str(path.locate()))
        if not _is_as_recorded(path, source):
            faults.append(Fault("bundle.altered", f"{place} is not what its RECORD says", name))
            continue
        kept.append(path)
        yield str(place), source
    yield f"{about}/{RECORD}", _record(kept)


def _recorded(one: Distribution) -> Iterator[PackagePath]:
    """All that its RECORD names, there or not: `Distribution.files` leaves out what is gone, since
    Python 3.12, and earlier where the backport `importlib_metadata` was imported."""
    for name, digest, size in csv.reader((one.read_text(RECORD) or "").splitlines()):
        path = PackagePath(name)
        path.hash = FileHash(digest) if digest else None
        path.size = int(size) if size else None
        path.dist = one
        yield path


def _is_wanted(place: PurePosixPath, about: str, only: frozenset[str] | None) -> bool:
    """Scripts lie outside; what was compiled here is compiled anew; a `.pth` does nothing there."""
    if place.is_absolute() or ".." in place.parts or place.suffix in _COMPILED:
        return False
    if place.parts[0] == about:
        return place.name not in _OF_THE_INSTALLER
    if place.suffix == ".pth" and len(place.parts) == 1:
        return False
    return only is None or str(place) in only


def _about(one: Distribution) -> str:
    """Name of its `.dist-info`."""
    for path in _recorded(one):
        if path.name == RECORD and path.parent.name.endswith(".dist-info"):
            return path.parent.name
    return f"{one.metadata['Name']}-{one.version}.dist-info"


def _is_as_recorded(path: PackagePath, source: Path) -> bool:
    try:
        data = source.read_bytes()
    except OSError:
        return False
    if path.hash is None:
        return False
    found = urlsafe_b64encode(new(path.hash.mode, data).digest()).rstrip(b"=").decode()
    return found == path.hash.value


def _record(kept: Iterable[PackagePath]) -> bytes:
    """Of what has come along."""
    lines = [
        f"{one.as_posix()},{one.hash.mode}={one.hash.value},{one.size}" for one in kept if one.hash
    ]
    return "".join(f"{line}\n" for line in sorted(lines)).encode()
