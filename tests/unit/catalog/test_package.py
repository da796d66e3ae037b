"""A payload is a function of its contents, and nothing unpacks but what was packed."""

from dataclasses import replace
from io import BytesIO
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZipFile, ZipInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from freehold.catalog.package import PackageContents, assemble, pack, payload_files, unpack
from freehold.domain.columns import Column, Columns
from freehold.domain.errors import IntegrityError
from freehold.domain.package import ModelFlavor

CONTENTS = PackageContents(
    model=b"tree\n",
    flavor=ModelFlavor(
        name="lightgbm",
        model_file="model.lgb/model.txt",
        metadata={"lgb_version": "4.7.0"},
        requirements=("numpy==2.4.6", "lightgbm==4.7.0"),
        loader="def _load_pyfunc(path): ...\n",
    ),
    columns=Columns((Column("carrier", "category", ("UA", "yes")), Column("hour", "number"))),
    profile={"rows": 3, "hour": [0.1, 2]},
    python="3.11.7",
    onnx=b"onnx",
)

_part = st.text(st.characters(whitelist_categories=("Ll", "Nd")), min_size=1, max_size=8)
_files = st.dictionaries(_part.map(lambda part: f"a/{part}.txt"), st.binary(max_size=40))


def test_equal_contents_give_an_equal_digest() -> None:
    first = assemble(CONTENTS)
    assert first == assemble(replace(CONTENTS, profile={"hour": [0.1, 2], "rows": 3}))
    assert first.digest != assemble(replace(CONTENTS, model=b"tree\n\n")).digest
    assert first.digest != assemble(replace(CONTENTS, python="3.12.1")).digest


@given(_files)
def test_unpacking_gives_back_what_was_packed(files: dict[str, bytes]) -> None:
    packed = pack(files)
    assert unpack(packed.data, packed.digest) == files
    assert pack(dict(reversed(files.items()))) == packed


@given(st.data())
def test_no_changed_byte_is_accepted(data: st.DataObject) -> None:
    """Whatever still unpacks is another payload, whole in itself and of another digest."""
    packed = pack({"MLmodel": b"flavors", "code/a.py": b"import json"})
    place = data.draw(st.integers(0, len(packed.data) - 1))
    flipped = bytearray(packed.data)
    flipped[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(IntegrityError) as caught:
        unpack(bytes(flipped), packed.digest)
    assert caught.value.code == "package.digest"
    with pytest.raises(IntegrityError) as caught:
        unpack(bytes(flipped))
    assert caught.value.code.startswith("package.")


@given(st.binary(max_size=200))
def test_bytes_that_are_no_archive(data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        unpack(data)
    assert caught.value.code == "package.malformed"


@pytest.mark.parametrize(
    "name",
    ["../out", "/etc/out", "a/../../out", "a//b", "./a", "a/", "C:out", "a\\b", "a\x00b", "a\nb"],
)
def test_paths_that_leave_the_folder(name: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        unpack(_archive({name: b"x", "good": b"y"}))
    assert caught.value.code == "package.unsafe-path"
    assert len(caught.value.faults) == 1


def test_all_unsafe_paths_are_named_at_once() -> None:
    with pytest.raises(IntegrityError) as caught:
        unpack(_archive({"../one": b"x", "/two": b"y", "three": b"z"}))
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize("names", [("MLmodel", "mlmodel"), ("code", "code/a.py")])
def test_files_that_would_lie_in_one_place(names: tuple[str, str]) -> None:
    with pytest.raises(IntegrityError) as caught:
        unpack(_archive(dict.fromkeys(names, b"x")))
    assert caught.value.code == "package.duplicate-file"


def test_a_file_given_twice() -> None:
    data = _archive({"one": b"x", "two": b"x"}).replace(b"two", b"one")
    with pytest.raises(IntegrityError) as caught:
        unpack(data)
    assert caught.value.code == "package.duplicate-file"


def test_entries_that_overlap_claim_more_than_there_is() -> None:
    data = bytearray(pack({"a": b"x" * 100}).data)
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 20 : directory + 28] = (10_000).to_bytes(4, "little") * 2
    with pytest.raises(IntegrityError) as caught:
        unpack(bytes(data))
    assert caught.value.code == "package.too-large"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"#!/bin/sh\n" + data,
        lambda data: data + b"more",
        lambda data: data[:-2] + (4).to_bytes(2, "little") + b"note",
        lambda data: data[:-1],
    ],
    ids=["before", "after", "comment", "cut"],
)
def test_nothing_hides_around_the_files(change) -> None:
    with pytest.raises(IntegrityError) as caught:
        unpack(change(assemble(CONTENTS).data))
    assert caught.value.code == "package.malformed"


def test_compressed_or_linked_entries_are_not_ours() -> None:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"0" * 50_000_000)
    with pytest.raises(IntegrityError) as caught:
        unpack(buffer.getvalue())
    assert caught.value.code == "package.too-large"
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        link = ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(IntegrityError) as caught:
        unpack(buffer.getvalue())
    assert caught.value.code == "package.malformed"


@pytest.mark.parametrize("method", [ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
@pytest.mark.parametrize("spoilt", [False, True])
def test_what_is_compressed_is_not_unpacked(method: int, spoilt: bool) -> None:
    """Whether it could be or not: what a decompressor says of spoilt bytes is no error of ours."""
    buffer = BytesIO()
    with ZipFile(buffer, "w", method) as archive:
        archive.writestr("file", b"ab" * 5)
    data = bytearray(buffer.getvalue())
    if spoilt:
        data[34:37] = b"\xff" * 3
    with pytest.raises(IntegrityError) as caught:
        unpack(bytes(data))
    assert (caught.value.code, caught.value.why) == (
        "package.malformed",
        "its files are compressed",
    )


@pytest.mark.parametrize("place", [2**31, 2**63, 2**64 - 1])
def test_a_file_that_lies_where_no_file_reaches(place: int) -> None:
    whole = BytesIO()
    with ZipFile(whole, "w") as archive:
        archive.writestr(ZipInfo("one"), b"1")
        # Written with the directory, when the archive is closed.
        archive.infolist()[0].header_offset = place
    with pytest.raises(IntegrityError) as caught:
        unpack(whole.getvalue())
    assert caught.value.code == "package.malformed"


def test_the_manifest_says_what_the_columns_are() -> None:
    manifest = yaml.safe_load(payload_files(CONTENTS)["MLmodel"])
    inputs = yaml.safe_load(manifest["signature"]["inputs"])
    assert inputs == [
        {"name": "carrier", "required": False, "type": "string"},
        {"name": "hour", "required": False, "type": "double"},
    ]
    assert manifest["flavors"]["python_function"]["python_version"] == "3.11.7"


def test_without_onnx_nothing_speaks_of_it() -> None:
    files = payload_files(replace(CONTENTS, onnx=None))
    assert "model.onnx" not in files
    assert "onnx" not in yaml.safe_load(files["MLmodel"])["flavors"]


def _archive(files: dict[str, bytes]) -> bytes:
    """An archive with just these names: `zipfile` would mend some, and warn of others, so that
    they are put over stand-ins of the same length."""
    buffer = BytesIO()
    names = [name.encode() for name in files]
    stand_ins = [bytes([0x41 + at]) * len(name) for at, name in enumerate(names)]
    with ZipFile(buffer, "w") as archive:
        for stand_in, data in zip(stand_ins, files.values(), strict=True):
            archive.writestr(ZipInfo(stand_in.decode()), data)
    data = buffer.getvalue()
    for stand_in, name in zip(stand_ins, names, strict=True):
        assert data.count(stand_in) == 2
        data = data.replace(stand_in, name)
    return data
