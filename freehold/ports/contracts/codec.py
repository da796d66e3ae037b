"""The contract of a codec: one test per law of the port."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from freehold.domain.errors import IntegrityError, NotSupported
from freehold.ports.codec import Codec, Shares


class CodecContract(ABC):
    """Override what is abstract; `mangled` too if not every broken file can be told."""

    @abstractmethod
    def make(self) -> Codec: ...

    @abstractmethod
    def samples(self, folder: Path) -> Sequence[tuple[Any, Any]]:
        """Pairs of a type and a value; an empty one among them. Equal for every call."""

    @abstractmethod
    def equal(self, one: Any, other: Any) -> bool: ...

    @abstractmethod
    def change(self, value: Any) -> None:
        """Change the last sample in place, if its type can be changed at all."""

    @abstractmethod
    def foreign(self) -> Any:
        """A value that the codec does not hold."""

    def mangled(self, data: bytes) -> Sequence[bytes]:
        return (data[: len(data) // 2], b"", b"nothing of the kind")

    def test_what_was_encoded_is_decoded(self, tmp_path: Path) -> None:
        codec = self.make()
        for kind, value in self.samples(tmp_path):
            assert self.equal(codec.decode(codec.encode(value), kind, tmp_path), value)

    def test_equal_values_give_equal_bytes(self, tmp_path: Path) -> None:
        codec = self.make()
        pairs = zip(self.samples(tmp_path), self.samples(tmp_path), strict=True)
        for (_, one), (_, other) in pairs:
            assert codec.encode(one) == codec.encode(other) == self.make().encode(one)

    def test_broken_bytes_are_unreadable(self, tmp_path: Path) -> None:
        codec = self.make()
        kind, value = self.samples(tmp_path)[-1]
        for data in self.mangled(codec.encode(value)):
            with pytest.raises(IntegrityError) as caught:
                codec.decode(data, kind, tmp_path)
            assert caught.value.code == "artifact.unreadable"

    def test_what_it_cannot_hold_is_refused(self) -> None:
        with pytest.raises(NotSupported) as caught:
            self.make().encode(self.foreign())
        assert caught.value.code == "codec.unsupported"

    def test_what_is_decoded_is_the_callers_own(self, tmp_path: Path) -> None:
        codec = self.make()
        kind, value = self.samples(tmp_path)[-1]
        data = codec.encode(value)
        first = codec.decode(data, kind, tmp_path)
        second = codec.decode(data, kind, tmp_path)
        self.change(first)
        assert self.equal(second, value)
        assert self.equal(codec.decode(data, kind, tmp_path), value)

    def test_what_is_shared_can_be_changed_alone(self, tmp_path: Path) -> None:
        codec = self.make()
        kind, value = self.samples(tmp_path)[-1]
        data = codec.encode(value)
        kept = codec.decode(data, kind, tmp_path)
        given = codec.share(kept) if isinstance(codec, Shares) else value
        assert self.equal(given, value)
        self.change(given)
        assert self.equal(kept, codec.decode(data, kind, tmp_path))
