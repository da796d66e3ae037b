"""The contract of a key service: one test per law of the port."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from freehold.domain.errors import IntegrityError
from freehold.ports.key_service import KEY_ID, KeyService, TellsEnds

_CONTEXT = {"purpose": "contract", "site": "here"}


def wrong(use: Callable[[], object], key_id: str) -> str:
    """The whole text of the error that must come, and names the key's id."""
    with pytest.raises(IntegrityError) as caught:
        use()
    error = caught.value
    assert error.code == "key.wrong"
    assert str(error) == f"error[key.wrong]: not readable with the key {key_id}"
    assert error.__suppress_context__ or error.__context__ is None
    return repr(error.as_json())


class KeyServiceContract(ABC):
    """Override `make`, `rotated` and `stranger`."""

    @abstractmethod
    def make(self, folder: Path) -> KeyService:
        """A service; of the same folder, the same keys."""

    @abstractmethod
    def rotated(self, folder: Path) -> KeyService:
        """The service of that folder with one key more, which wraps now."""

    @abstractmethod
    def stranger(self, folder: Path) -> KeyService:
        """A service that has none of that folder's keys."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "service"

    @pytest.fixture
    def service(self, folder: Path) -> KeyService:
        return self.make(folder)

    def test_what_was_wrapped_is_unwrapped(self, service: KeyService) -> None:
        for data_key in (os.urandom(32), b"\0" * 32, os.urandom(16)):
            wrapped = service.wrap(data_key, _CONTEXT)
            assert service.unwrap(wrapped, service.key_id, _CONTEXT) == data_key

    def test_an_empty_context_is_one(self, service: KeyService) -> None:
        wrapped = service.wrap(b"k" * 32, {})
        assert service.unwrap(wrapped, service.key_id, {}) == b"k" * 32
        wrong(lambda: service.unwrap(wrapped, service.key_id, _CONTEXT), service.key_id)

    def test_what_is_wrapped_is_short_and_hides_the_key(self, service: KeyService) -> None:
        wrapped = service.wrap(b"k" * 32, _CONTEXT)
        assert len(wrapped) <= 300
        assert b"kkkk" not in wrapped
        assert service.wrap(b"k" * 32, _CONTEXT) != wrapped

    def test_a_key_id_is_printable_and_stays(self, service: KeyService) -> None:
        assert KEY_ID.fullmatch(service.key_id)
        assert service.key_id == service.key_id

    def test_another_context_is_refused(self, service: KeyService) -> None:
        wrapped = service.wrap(b"k" * 32, _CONTEXT)
        for context in ({}, {**_CONTEXT, "site": "there"}, {**_CONTEXT, "more": ""}):
            wrong(lambda c=context: service.unwrap(wrapped, service.key_id, c), service.key_id)  # type: ignore[misc]

    @pytest.mark.parametrize("part", [0.0, 0.5, 0.97])
    def test_altered_bytes_are_refused(self, service: KeyService, part: float) -> None:
        wrapped = service.wrap(b"k" * 32, _CONTEXT)
        at = int(part * len(wrapped))
        bad = wrapped[:at] + bytes([wrapped[at] ^ 4]) + wrapped[at + 1 :]
        wrong(lambda: service.unwrap(bad, service.key_id, _CONTEXT), service.key_id)

    def test_cut_bytes_are_refused(self, service: KeyService) -> None:
        wrapped = service.wrap(b"k" * 32, _CONTEXT)
        for bad in (wrapped[:-5], wrapped[:3], b""):
            wrong(lambda b=bad: service.unwrap(b, service.key_id, _CONTEXT), service.key_id)  # type: ignore[misc]

    def test_a_service_without_the_key_names_it_and_nothing_else(
        self, service: KeyService, folder: Path, tmp_path: Path
    ) -> None:
        data_key = os.urandom(32)
        wrapped = service.wrap(data_key, _CONTEXT)
        stranger = self.stranger(folder)
        shown = wrong(lambda: stranger.unwrap(wrapped, service.key_id, _CONTEXT), service.key_id)
        for secret in (data_key.hex(), wrapped.hex(), str(tmp_path), *_CONTEXT.values()):
            assert secret not in shown

    def test_an_id_of_no_key(self, service: KeyService) -> None:
        wrapped = service.wrap(b"k" * 32, _CONTEXT)
        for key_id in ("nobody", service.key_id[:-1] + "~", "../../../sys/seal"):
            wrong(lambda k=key_id: service.unwrap(wrapped, k, _CONTEXT), key_id)  # type: ignore[misc]

    def test_after_a_rotation_the_newest_wraps_and_all_unwrap(
        self, service: KeyService, folder: Path
    ) -> None:
        old, before = service.key_id, service.wrap(b"k" * 32, _CONTEXT)
        newer = self.rotated(folder)
        assert newer.key_id != old
        assert newer.unwrap(before, old, _CONTEXT) == b"k" * 32
        after = newer.wrap(b"k" * 32, _CONTEXT)
        assert newer.unwrap(after, newer.key_id, _CONTEXT) == b"k" * 32

    def test_another_key_of_the_service_is_refused(self, service: KeyService, folder: Path) -> None:
        before, newer = service.wrap(b"k" * 32, _CONTEXT), self.rotated(folder)
        wrong(lambda: newer.unwrap(before, newer.key_id, _CONTEXT), newer.key_id)

    def test_a_service_opened_before_a_rotation_goes_on(
        self, service: KeyService, folder: Path
    ) -> None:
        old = service.key_id
        newer = self.rotated(folder)
        after = newer.wrap(b"k" * 32, _CONTEXT)
        assert service.unwrap(after, newer.key_id, _CONTEXT) == b"k" * 32
        assert service.key_id == old
        assert service.unwrap(service.wrap(b"j" * 32, _CONTEXT), old, _CONTEXT) == b"j" * 32

    def test_rewrapping_keeps_the_data_key(self, service: KeyService, folder: Path) -> None:
        old, before = service.key_id, service.wrap(b"k" * 32, _CONTEXT)
        newer = self.rotated(folder)
        again = newer.rewrap(before, old, _CONTEXT)
        assert newer.unwrap(again, newer.key_id, _CONTEXT) == b"k" * 32
        wrong(lambda: newer.rewrap(before[:-5], old, _CONTEXT), old)

    def test_many_threads(self, service: KeyService) -> None:
        keys = [os.urandom(32) for _ in range(24)]
        with ThreadPoolExecutor(12) as pool:
            wrapped = list(pool.map(lambda key: service.wrap(key, _CONTEXT), keys))
            back = pool.map(lambda one: service.unwrap(one, service.key_id, _CONTEXT), wrapped)
            assert list(back) == keys

    def test_its_secrets_are_not_shown(self, service: KeyService) -> None:
        assert "secret" not in repr(service).lower()

    def test_what_it_can_do_has_its_suite(self, service: KeyService) -> None:
        assert isinstance(service, TellsEnds) == isinstance(self, TellsEndsContract)


class TellsEndsContract(ABC):
    """Beside KeyServiceContract, of a service that has this ability. Override `ending`."""

    @abstractmethod
    def ending(self, folder: Path) -> tuple[TellsEnds, float, float]:
        """A service of which one thing ends, and the seconds since 1970 UTC between which it
        does."""

    def test_of_what_lasts_there_is_no_end(self, service: TellsEnds) -> None:
        assert service.ends() == ()

    def test_an_end_is_told_with_its_cause_and_what_to_do(self, folder: Path) -> None:
        service, earliest, latest = self.ending(folder)
        (end,) = service.ends()
        assert earliest <= end.at <= latest
        assert end.what and end.why and end.hint
