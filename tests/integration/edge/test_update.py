"""A bundle becomes the next one, whole or not at all."""

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.domain.errors import FreeholdError
from freehold.endpoint.edge.launch import checked
from freehold.endpoint.edge.update import clean, update

NAMES = st.from_regex(r"(lib|serving)/[a-z]{1,3}(/[a-z]{1,3})?\.bin", fullmatch=True)
CONTENTS = st.dictionaries(NAMES, st.binary(max_size=40), max_size=6)


def number(root: Path) -> int:
    """Of what is current, if all of it is what was signed."""
    return int(checked(root, (root / "current").resolve())["number"])


def refused(root: Path, file: Path) -> str:
    """The code with which it is, and that nothing changed."""
    before = number(root), sorted(path.name for path in (root / "generations").iterdir())
    with pytest.raises(FreeholdError) as caught:
        update(root, file)
    after = number(root), sorted(path.name for path in (root / "generations").iterdir())
    assert before == after
    assert caught.value.why
    return caught.value.code


@pytest.fixture
def three(maker: Any, files: Any, tmp_path: Path) -> dict[int, Path]:
    """Bundles 1 to 3 as they were made."""
    made = {}
    for one in (1, 2, 3):
        files["serving/routing.json"] = f'{{"table": {one}}}'.encode()
        files[f"lib/only{one}.py"] = b"x"
        files.pop(f"lib/only{one - 1}.py", None)
        made[one] = maker.bundle(tmp_path / f"made-{one}", one, files)
    return made


@pytest.fixture
def box(three: dict[int, Path], tmp_path: Path) -> Path:
    """Bundle 1, out there."""
    return Path(shutil.copytree(three[1], tmp_path / "box", symlinks=True))


@given(old=CONTENTS, new=CONTENTS, shared=CONTENTS)
@settings(max_examples=40, deadline=None)
def test_applied_it_gives_byte_for_byte_what_was_made(
    maker: Any, tree: Any, old: Any, new: Any, shared: Any
) -> None:
    with TemporaryDirectory() as folder:
        place = Path(folder)
        run = {"run": b"run"}
        first = maker.bundle(place / "first", 1, {**old, **shared, **run})
        second = maker.bundle(place / "second", 2, {**new, **shared, **run})
        delta = maker.delta(first, second, place / "delta")
        done = update(first, delta)
        assert number(first) == 2
        assert tree((first / "current").resolve()) == tree((second / "current").resolve())
        with ZipFile(delta) as archive:
            brought = {name for name in archive.namelist() if name.startswith("files/")}
        before = {**old, **shared}
        expected = {name for name, data in {**new, **shared}.items() if before.get(name) != data}
        assert brought == {f"files/{name}" for name in expected}
        assert set(done.delta.removed) == before.keys() - {**new, **shared}.keys()


def test_step_after_step_and_what_went_is_let_go_of(
    maker: Any, three: Any, box: Path, tmp_path: Path
) -> None:
    for one in (1, 2):
        update(box, maker.delta(three[one], three[one + 1], tmp_path / f"{one}.delta"))
    assert number(box) == 3
    assert [path.name for path in (box / "generations").iterdir()] == ["000003"]


def test_it_applies_to_nothing_but_what_it_was_made_for(
    maker: Any, three: Any, box: Path, tmp_path: Path
) -> None:
    later = maker.delta(three[2], three[3], tmp_path / "later.delta")
    assert refused(box, later) == "bundle.other-base"
    first = maker.delta(three[1], three[2], tmp_path / "first.delta")
    update(box, first)
    assert refused(box, first) == "bundle.other-base"


def test_a_lower_number_is_taken_only_from_a_step_that_is_signed_as_leading_back(
    maker: Any, three: Any, box: Path, tmp_path: Path
) -> None:
    on = maker.delta(three[1], three[3], tmp_path / "on.delta")
    update(box, on)
    assert refused(box, maker.delta(three[3], three[2], tmp_path / "no.delta")) == "bundle.older"
    back = maker.delta(three[3], three[2], tmp_path / "back.delta", back=True)
    update(box, back)
    assert number(box) == 2
    assert refused(box, back) == "bundle.other-base"


def test_what_was_left_by_leading_back_does_not_come_again(
    maker: Any, three: Any, files: Any, box: Path, tmp_path: Path
) -> None:
    """An old step on, kept by somebody, would else lead to what was left on purpose."""
    on = maker.delta(three[1], three[2], tmp_path / "on.delta")
    update(box, on)
    update(box, maker.delta(three[2], three[1], tmp_path / "back.delta", back=True))
    assert refused(box, on) == "bundle.older"
    update(box, maker.delta(three[1], three[3], tmp_path / "further.delta"))
    assert number(box) == 3


def test_a_step_of_a_strangers_is_refused(
    stranger: Any, three: Any, box: Path, tmp_path: Path
) -> None:
    delta = stranger.delta(three[1], three[2], tmp_path / "strange.delta")
    assert refused(box, delta) == "bundle.delta-unsigned"


def test_a_manifest_of_a_strangers_is_refused_though_the_step_is_signed(
    maker: Any, stranger: Any, files: Any, three: Any, box: Path, tmp_path: Path
) -> None:
    strange = stranger.bundle(tmp_path / "strange", 2, files)
    assert refused(box, maker.delta(three[1], strange, tmp_path / "x.delta")) == "bundle.unsigned"


@pytest.mark.parametrize("about", [{"site": "street"}, {"model": "other"}])
def test_a_step_of_another_place_or_model_is_refused(
    maker: Any, files: Any, box: Path, tmp_path: Path, about: Any
) -> None:
    other = maker.bundle(tmp_path / "other", 2, files, **about)
    delta = maker.delta(box, other, tmp_path / "other.delta")
    assert refused(box, delta) == "bundle.other-base"


def _without(name: str) -> Callable[[dict[str, bytes]], None]:
    return lambda entries: entries.pop(name) and None


def _with(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda entries: entries.update({name: data})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_without("files/serving/routing.json"), "files/serving/routing.json"),
        (_without("delta.json"), "delta.json"),
        (_without("bundle.sig"), "bundle.sig"),
        (_with("files/lib/more.py", b""), "files/lib/more.py"),
        (_with("files/../../../run", b""), "files/../../../run"),
        (_with("files/serving/routing.json", b"{}"), "files/serving/routing.json"),
        (_with("files/serving/routing.json", b" " * 10**6), "files/serving/routing.json"),
        (_with("bundle.json", b"{}"), "bundle.json"),
    ],
)
def test_what_lies_in_it_is_exactly_what_was_signed(
    maker: Any, three: Any, box: Path, tmp_path: Path, change: Any, named: str
) -> None:
    whole = maker.delta(three[1], three[2], tmp_path / "whole.delta")
    with ZipFile(whole) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    altered = tmp_path / "altered.delta"
    with ZipFile(altered, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    with pytest.raises(FreeholdError) as caught:
        update(box, altered)
    assert caught.value.code == "bundle.malformed"
    assert named in caught.value.why
    assert number(box) == 1


@given(at=st.integers(0, 10_000), byte=st.integers(1, 255), cut=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_changes_nothing_or_does_what_was_signed(
    maker: Any, tree: Any, at: int, byte: int, cut: bool
) -> None:
    """Some bytes of an archive, dates for one, say nothing."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        first = maker.bundle(place / "first", 1, {"run": b"run", "lib/a.py": b"a"})
        second = maker.bundle(place / "second", 2, {"run": b"run", "lib/a.py": b"b" * 30})
        delta = maker.delta(first, second, place / "delta")
        whole = bytearray(delta.read_bytes())
        whole[at % len(whole)] ^= byte
        delta.write_bytes(whole[: at % len(whole)] if cut else whole)
        try:
            update(first, delta)
        except FreeholdError:
            assert number(first) == 1
        else:
            assert tree((first / "current").resolve()) == tree((second / "current").resolve())


def test_what_is_no_archive_or_not_there_is_said_so(box: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive")
    assert refused(box, tmp_path / "text") == "bundle.malformed"
    assert refused(box, tmp_path / "absent") == "bundle.no-update"


def test_a_file_that_was_altered_here_does_not_pass_into_the_next_bundle(
    maker: Any, three: Any, box: Path, tmp_path: Path
) -> None:
    """What stays is not brought again: it must be what the next list says."""
    (box / "current" / "lib" / "one" / "data.bin").write_bytes(b"altered")
    with pytest.raises(FreeholdError) as caught:
        update(box, maker.delta(three[1], three[2], tmp_path / "delta"))
    assert (caught.value.code, "lib/one/data.bin" in caught.value.what) == ("bundle.altered", True)
    assert (box / "current").resolve().name == "000001"
    assert [path.name for path in (box / "generations").iterdir()] == ["000001"]


KILLED = """
import sys
from pathlib import Path
from freehold.endpoint.edge.update import update
update(Path(sys.argv[1]), Path(sys.argv[2]))
acknowledge("updated")
"""


@pytest.fixture
def step(maker: Any, three: Any, tmp_path: Path) -> Path:
    return Path(maker.delta(three[1], three[2], tmp_path / "step.delta"))


@pytest.mark.parametrize("seeds", [16, pytest.param(120, marks=pytest.mark.long)])
def test_killed_at_any_moment_it_is_the_old_one_or_the_new_one(
    crash: ModuleType, box: Path, step: Path, three: Any, tree: Any, tmp_path: Path, seeds: int
) -> None:
    """And goes on from there: the same step is taken again, and leaves nothing behind."""
    trial = Path(shutil.copytree(box, tmp_path / "trial", symlinks=True))
    lines = crash.count_lines(KILLED, [trial, step])
    places, left = set(), set()
    for seed in range(seeds):
        root = Path(shutil.copytree(box, tmp_path / f"killed-{seed}", symlinks=True))
        outcome = crash.run_until_killed(KILLED, [root, step], seed=seed, lines=lines)
        assert outcome.killed
        places.add(outcome.place)
        found = number(root)
        left.add(found)
        current = (root / "current").resolve()
        assert tree(current) == tree((three[found] / "current").resolve())
        if found == 1:
            update(root, step)
        else:
            clean(root)
        assert number(root) == 2
        assert [path.name for path in (root / "generations").iterdir()] == ["000002"]
        assert {path.name for path in root.iterdir()} == {
            *("run", "site.pub", "current", "generations", "state")
        }
    assert len(places) > seeds / 4
    assert 1 in left
