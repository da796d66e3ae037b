"""What is not exactly what was signed is refused, and named."""

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.endpoint.edge.launch import (
    Unsound,
    checked,
    is_plain,
    main,
    require_python,
    this_python,
)


def check(root: Path) -> Any:
    return checked(root, (root / "current").resolve())


def test_a_whole_bundle_is_taken_wherever_it_lies(maker: Any, files: Any, tmp_path: Path) -> None:
    root = maker.bundle(tmp_path / "box", 7, files)
    (root / "state" / "serving").mkdir(parents=True)
    (root / "state" / "serving" / "anything").write_bytes(b"what is written is not signed")
    elsewhere = tmp_path / "else where"
    root.rename(elsewhere)
    assert check(elsewhere)["number"] == 7


def _link(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")


DAMAGE: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "altered": (
        lambda root: (root / "current/lib/one/__init__.py").write_bytes(b"one = 2\n"),
        "bundle.altered",
        "lib/one/__init__.py",
    ),
    "longer": (
        lambda root: (root / "current/serving/routing.json").write_bytes(b"{} "),
        "bundle.altered",
        "serving/routing.json",
    ),
    "missing": (
        lambda root: (root / "current/lib/one/data.bin").unlink(),
        "bundle.missing",
        "lib/one/data.bin",
    ),
    "additional": (
        lambda root: (root / "current/lib/one/two.py").write_bytes(b""),
        "bundle.additional",
        "lib/one/two.py",
    ),
    "additional above": (
        lambda root: (root / "sitecustomize.py").write_bytes(b""),
        "bundle.additional",
        "sitecustomize.py",
    ),
    "another model": (
        lambda root: (
            (root / "current/serving/models/1").mkdir()
            or (root / "current/serving/models/1/x").write_bytes(b"")
        ),
        "bundle.additional",
        "serving/models/1/x",
    ),
    "link": (
        lambda root: (root / "current/lib/one/link.py").symlink_to("__init__.py"),
        "bundle.additional",
        "lib/one/link.py",
    ),
    "link to a folder": (
        lambda root: (root / "current/lib/two").symlink_to("one"),
        "bundle.additional",
        "lib/two",
    ),
    "link instead": (
        lambda root: (
            shutil.move(root / "current/lib/one/data.bin", root / "state"),
            (root / "current/lib/one/data.bin").symlink_to(root / "state"),
        ),
        "bundle.altered",
        "lib/one/data.bin",
    ),
    "no signature": (
        lambda root: (root / "current/bundle.sig").unlink(),
        "bundle.missing",
        "bundle.sig",
    ),
    "altered list": (
        lambda root: (root / "current/bundle.json").write_bytes(
            (root / "current/bundle.json").read_bytes() + b"\n"
        ),
        "bundle.unsigned",
        "bundle.json",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_it_is_refused_by_name(maker: Any, files: Any, tmp_path: Path, name: str) -> None:
    root = maker.bundle(tmp_path / "box", 7, files)
    damage, code, named = DAMAGE[name]
    damage(root)
    with pytest.raises(Unsound) as caught:
        check(root)
    assert (caught.value.code, named in caught.value.what) == (code, True)


def test_another_key_than_the_one_that_lies_there_signs_nothing(
    maker: Any, stranger: Any, files: Any, tmp_path: Path
) -> None:
    root = stranger.bundle(tmp_path / "box", 7, files)
    (root / "site.pub").write_bytes(maker.signer.public.pem)
    with pytest.raises(Unsound) as caught:
        check(root)
    assert caught.value.code == "bundle.unsigned"


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_no_byte_of_it_can_be_another(maker: Any, data: Any) -> None:
    files = data.draw(
        st.dictionaries(
            st.from_regex(r"(lib|serving)/[a-z]{1,6}(/[a-z]{1,6})?\.bin", fullmatch=True),
            st.binary(min_size=1, max_size=60),
            min_size=1,
            max_size=5,
        )
    )
    with TemporaryDirectory() as folder:
        root = maker.bundle(Path(folder) / "box", 1, {"run": b"run", **files})
        check(root)
        name = data.draw(st.sampled_from([*sorted(files), "bundle.json", "bundle.sig"]))
        path = root / "current" / name
        whole = bytearray(path.read_bytes())
        whole[data.draw(st.integers(0, 10_000)) % len(whole)] ^= data.draw(st.integers(1, 255))
        path.write_bytes(whole)
        with pytest.raises(Unsound):
            check(root)


@pytest.mark.parametrize("member", ["implementation", "version", "abi", "machine"])
def test_another_python_is_told_which_is_wanted(member: str) -> None:
    require_python(this_python())
    with pytest.raises(Unsound) as caught:
        require_python({**this_python(), member: "9.99"})
    assert caught.value.code == "bundle.other-python"
    assert "9.99" in caught.value.why and this_python()[member] in caught.value.why


@pytest.mark.parametrize(
    "name", ["", "/etc", "a//b", "../a", "a/../b", "./a", "a/.", "a\\b", "a\0b", "a/"]
)
def test_a_name_that_leads_elsewhere_is_none(name: str) -> None:
    assert not is_plain(name)


def test_outside_of_a_bundle_it_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freehold.endpoint.edge.launch._isolate", lambda _: None)
    assert main([]) == 1
    assert "error[bundle.misplaced]" in capsys.readouterr().err
