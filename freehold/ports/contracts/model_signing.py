"""What every way of signing a folder must do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from freehold.domain.errors import AdapterFailed, IntegrityError
from freehold.ports.model_signing import ModelSigning


def _one_bit(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(bytes(data))


def _added(name: str) -> Callable[[Path], None]:
    def add(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"more")

    return add


_TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "first file": (lambda folder: _one_bit(folder, "MLmodel"), "MLmodel"),
    "nested file": (lambda folder: _one_bit(folder, "code/loader.py"), "code/loader.py"),
    "hidden file": (lambda folder: _one_bit(folder, ".gitattributes"), ".gitattributes"),
    "emptied": (lambda folder: (folder / "MLmodel").write_bytes(b""), "MLmodel"),
    "added": (_added("more.txt"), "more.txt"),
    "added, hidden": (_added(".git/config"), ".git/config"),
    "added, compiled": (_added("code/__pycache__/loader.pyc"), "loader.pyc"),
    "removed": (lambda folder: (folder / "MLmodel").unlink(), "MLmodel"),
    "renamed": (lambda folder: (folder / "MLmodel").rename(folder / "mlmodel"), "mlmodel"),
    "swapped": (
        lambda folder: [
            (folder / "MLmodel").rename(folder / "kept"),
            (folder / "code/loader.py").rename(folder / "MLmodel"),
            (folder / "kept").rename(folder / "code/loader.py"),
        ],
        "MLmodel",
    ),
    "link": (lambda folder: (folder / "link").symlink_to("/etc/hostname"), "link"),
}


class ModelSigningContract:
    """Give the fixtures `signing`, and `keys`: PEM paths (private, public, another's public)."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "package"
        (folder / "code").mkdir(parents=True)
        (folder / "MLmodel").write_bytes(b"flavors: {}\n")
        (folder / "code/loader.py").write_bytes(b"import json\n")
        (folder / ".gitattributes").write_bytes(b"* -text\n")
        return folder

    def test_what_was_signed_verifies_wherever_it_lies(
        self, signing: ModelSigning, keys: tuple[Path, Path, Path], folder: Path, tmp_path: Path
    ) -> None:
        signing.sign(folder, keys[0], tmp_path / "model.sig")
        signing.verify(folder, keys[1], tmp_path / "model.sig")
        signing.verify(folder.rename(tmp_path / "elsewhere"), keys[1], tmp_path / "model.sig")

    @pytest.mark.parametrize("name", _TAMPERINGS)
    def test_tampering_is_seen_and_the_file_named(
        self,
        signing: ModelSigning,
        keys: tuple[Path, Path, Path],
        folder: Path,
        tmp_path: Path,
        name: str,
    ) -> None:
        signature = tmp_path / "model.sig"
        signing.sign(folder, keys[0], signature)
        tamper, named = _TAMPERINGS[name]
        tamper(folder)
        with pytest.raises(IntegrityError) as caught:
            signing.verify(folder, keys[1], signature)
        assert caught.value.code == "package.signature"
        assert named in caught.value.why

    def test_another_key_does_not_verify(
        self, signing: ModelSigning, keys: tuple[Path, Path, Path], folder: Path, tmp_path: Path
    ) -> None:
        signing.sign(folder, keys[0], tmp_path / "model.sig")
        with pytest.raises(IntegrityError) as caught:
            signing.verify(folder, keys[2], tmp_path / "model.sig")
        assert caught.value.code == "package.signature"

    def test_no_change_of_the_signature_verifies(
        self, signing: ModelSigning, keys: tuple[Path, Path, Path], folder: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "model.sig"
        signing.sign(folder, keys[0], path)
        whole = path.read_bytes()
        for bad in (b"", b"{}", b"[]", b"\xff\x00", b"null", whole[:-20], whole[:100]):
            path.write_bytes(bad)
            with pytest.raises(IntegrityError) as caught:
                signing.verify(folder, keys[1], path)
            assert caught.value.code == "package.signature"
        path.unlink()
        with pytest.raises(IntegrityError):
            signing.verify(folder, keys[1], path)

    def test_a_key_that_is_none_does_not_sign(
        self, signing: ModelSigning, keys: tuple[Path, Path, Path], folder: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "no.key").write_bytes(b"no key")
        for path in (tmp_path / "no.key", tmp_path / "absent.key", keys[1]):
            with pytest.raises(AdapterFailed) as caught:
                signing.sign(folder, path, tmp_path / "model.sig")
            assert caught.value.code == "package.not-signed"
        assert not (tmp_path / "model.sig").exists()
