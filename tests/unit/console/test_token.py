"""A token is made once, and is its owner's alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from freehold.console.token import token_of, token_path
from freehold.domain.errors import IntegrityError, StorageFailed


def test_it_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    made = token_of(tmp_path)
    assert len(made) == 43
    assert token_of(tmp_path) == made
    assert token_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert token_of(tmp_path / "other") != made


def test_many_that_make_one_at_once_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: token_of(tmp_path), range(32)))
    assert len(made) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["console.token"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_one_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    token_of(tmp_path)
    token_path(tmp_path).chmod(mode)
    with pytest.raises(IntegrityError) as raised:
        token_of(tmp_path)
    assert raised.value.code == "console.token-exposed"


@pytest.mark.parametrize("data", [b"", b"short\n", b"\xff" * 50])
def test_a_file_that_holds_something_else(tmp_path: Path, data: bytes) -> None:
    token_of(tmp_path)
    token_path(tmp_path).write_bytes(data)
    with pytest.raises(IntegrityError) as raised:
        token_of(tmp_path)
    assert raised.value.code == "console.token-unreadable"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(StorageFailed):
        token_of(tmp_path)
