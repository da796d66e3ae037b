"""Parquet of a stranger: whatever it says of itself and whatever it unpacks to, its sender is told
by a 4xx, in bounded memory and time, and nobody else notices."""

import http.client
import io
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import freehold
from freehold.domain.errors import RequestInvalid
from freehold.endpoint import parquet_reader
from freehold.endpoint.parquet_reader import MEMORY, MEMORY_EACH, WAITING, ParquetReader
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.refusal import STATUS
from freehold.endpoint.settings import EndpointSettings
from freehold.serving.request import Limits

SHARED = 128 * 2**20
"""Of libraries, which are no data."""
PARQUET = "application/vnd.apache.parquet"
MEGABYTE = 1_000_000
GOOD = {"distance": [2500.0, None], "carrier": ["UA", "??"]}
SHORT = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LONG = settings(SHORT, max_examples=20_000)


def written(columns: Any, **ways: Any) -> bytes:
    made = io.BytesIO()
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, made, **ways)
    return made.getvalue()


def send(client: Any, body: bytes) -> Any:
    return client.ask("POST", "/invocations", body, headers={"content-type": PARQUET})


def reader_of(client: Any) -> ParquetReader:
    found: ParquetReader = client.endpoint.application.parquet
    return found


def pid_of(client: Any) -> int:
    process = reader_of(client)._process
    assert process is not None
    return process.pid


def once(kind: Any, value: Any = 1) -> dict[str, Any]:
    return {"distance": pa.array([value], kind), "carrier": ["UA"]}


def none() -> bytes:
    return written({"distance": pa.array([], pa.float64()), "carrier": pa.array([], pa.string())})


def twice(name: str) -> bytes:
    names = ["distance", "carrier", name]
    return written(pa.Table.from_arrays([pa.array([1.0]), pa.array(["UA"]), pa.array([1])], names))


def indexed(metadata: bytes) -> bytes:
    return written(pa.table(GOOD).replace_schema_metadata({b"pandas": metadata}))


class Vault(pe.KmsClient):  # type: ignore[misc]
    def wrap_key(self, key: bytes, _name: str) -> str:
        return key.hex()

    def unwrap_key(self, key: str, _name: str) -> bytes:
        return bytes.fromhex(key)


def encrypted(*, plaintext_footer: bool) -> bytes:
    keys = pe.EncryptionConfiguration(
        "one", column_keys={"two": ["distance"]}, plaintext_footer=plaintext_footer
    )
    factory = pe.CryptoFactory(lambda _: Vault())
    ways = factory.file_encryption_properties(pe.KmsConnectionConfig(), keys)
    return written(GOOD, encryption_properties=ways)


def patched(body: bytes, old: bytes, new: bytes) -> bytes:
    """In the metadata at the end."""
    assert len(old) == len(new)
    start = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    assert old in body[start:]
    return body[:start] + body[start:].replace(old, new)


def deep(levels: int) -> pa.DataType:
    kind: pa.DataType = pa.int8()
    for _ in range(levels):
        kind = pa.list_(kind)
    return kind


LONG_COLUMN = written({"distance": np.arange(150.0), "carrier": ["UA"] * 150})
BAD: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "nothing": (lambda: b"", "request.malformed", ""),
    "JSON": (lambda: b'{"inputs": []}', "request.malformed", ""),
    "magic alone": (lambda: b"PAR1PAR1", "request.malformed", ""),
    "cut at its end": (lambda: written(GOOD)[:-9], "request.malformed", ""),
    "cut at its beginning": (lambda: written(GOOD)[20:], "request.malformed", "distance"),
    "a footer of gigabytes": (
        lambda: written(GOOD)[:-8] + b"\xff\xff\xff\x7fPAR1",
        "request.malformed",
        "",
    ),
    "an encrypted footer": (lambda: encrypted(plaintext_footer=False), "request.malformed", ""),
    "an encrypted column": (
        lambda: encrypted(plaintext_footer=True),
        "request.malformed",
        "distance",
    ),
    "a codec that is none": (
        # The codec's number, behind the path of its column.
        lambda: patched(
            written({"distance": [1.0]}), b"\x18\x08distance\x15\x02", b"\x18\x08distance\x15\x7e"
        ),
        "request.malformed",
        "",
    ),
    "fewer rows than it says": (
        lambda: patched(LONG_COLUMN, b"\xac\x02", b"\xf0\x2e"),
        "request.malformed",
        "",
    ),
    "no rows": (none, "request.wrong-shape", ""),
    "no known column": (lambda: written({"x": [1.0]}), "request.malformed", ""),
    "a column less": (lambda: written({"distance": [1.0]}), "request.column-missing", "carrier"),
    "a column twice": (lambda: twice("distance"), "request.duplicate", ""),
    "an id twice": (lambda: written({**GOOD, "id": ["a", "a"]}), "request.duplicate", ""),
    "an id that is a number": (lambda: written({**GOOD, "id": [1, 2]}), "request.wrong-type", "id"),
    "an infinity": (
        lambda: written({**GOOD, "distance": [1.0, float("-inf")]}),
        "request.not-finite",
        "distance",
    ),
    "beyond FP32": (
        lambda: written({**GOOD, "distance": [1.0, 1e300]}),
        "request.number-too-large",
        "",
    ),
    "text for a number": (
        lambda: written({**GOOD, "distance": ["1", "2"]}),
        "request.wrong-type",
        "distance",
    ),
    "a number for text": (
        lambda: written({**GOOD, "carrier": [1, 2]}),
        "request.wrong-type",
        "carrier",
    ),
    "truth for text": (
        lambda: written({**GOOD, "carrier": [True, None]}),
        "request.wrong-type",
        "carrier",
    ),
    "bytes": (
        lambda: written({**GOOD, "carrier": [b"UA", b"\xff"]}),
        "request.wrong-type",
        "carrier",
    ),
    "lists": (lambda: written({**GOOD, "distance": [[1.0], []]}), "request.wrong-type", "distance"),
    "structures": (
        lambda: written({**GOOD, "distance": [{"x": 1.0}, {"x": 2.0}]}),
        "request.wrong-type",
        "distance",
    ),
    **{
        f"{kind}": (lambda kind=kind: written(once(kind)), "request.wrong-type", "distance")
        for kind in (pa.timestamp("us"), pa.date32(), pa.time64("us"), pa.duration("s"))
    },
    "decimals": (
        lambda: written(once(None, Decimal("1.5"))),
        "request.wrong-type",
        "distance",
    ),
    "an index that cannot be read": (lambda: indexed(b"{"), "request.malformed", ""),
    "an index that is none": (lambda: indexed(b"[7]"), "request.malformed", ""),
    "an index of everything": (
        lambda: indexed(b'{"index_columns": ["distance", "carrier", {}, 7]}'),
        "request.malformed",
        "",
    ),
    "a million rows": (
        lambda: written({"distance": np.zeros(MEGABYTE)}),
        "request.too-many-rows",
        "",
    ),
    "a hundred million rows": (
        lambda: written({"distance": np.zeros(100 * MEGABYTE, np.int8)}, compression="zstd"),
        "request.too-many-rows",
        "",
    ),
    "more than a body may have": (
        lambda: written({"carrier": ["x" * 9 * MEGABYTE], "distance": [1.0]}, compression="zstd"),
        "request.too-large",
        "carrier",
    ),
    "one long text, often": (
        lambda: written(
            {"carrier": ["x" * 100_000] * 200, "distance": np.zeros(200)},
            compression="zstd",
        ),
        "request.too-large",
        "carrier",
    ),
    "one long category, often": (
        lambda: written(
            {
                "carrier": pa.DictionaryArray.from_arrays(
                    pa.array([0] * 10_000, pa.int32()), ["x" * 5 * MEGABYTE]
                ),
                "distance": np.zeros(10_000),
            },
            compression="zstd",
        ),
        "request.too-large",
        "carrier",
    ),
    **{
        f"100 MB by {codec}": (
            lambda codec=codec: written(
                {"distance": [1.0], "carrier": ["x" * 100 * MEGABYTE]}, compression=codec
            ),
            "request.too-large",
            "carrier",
        )
        for codec in ("zstd", "gzip", "snappy")
    },
}


def peak(whose: int) -> int:
    """Bytes."""
    return resource.getrusage(whose).ru_maxrss * 1024


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_a_4xx_with_a_code(client: Any, name: str) -> None:
    make, code, field = BAD[name]
    body = make()
    assert len(body) < 8 * 2**20
    # A process counts what the one that started it held.
    before = max(peak(resource.RUSAGE_SELF), peak(resource.RUSAGE_CHILDREN))
    reply = send(client, body)
    assert (reply.status, reply.json["code"]) == (STATUS.get(code, 400), code), reply.body
    assert reply.json["message"] == reply.json["error"] and reply.json["error_code"]
    told = [fault["where"] for fault in reply.json.get("faults", [])]
    assert (field in told) if field else True
    assert f'code="{code}"' in client.ask("GET", "/metrics").body.decode()
    # It is answered on, whatever has become of who read that.
    good = send(client, written(GOOD))
    assert (good.status, len(good.json["predictions"])) == (200, 2)
    # Only what has ended is counted.
    reader_of(client)._end()
    assert peak(resource.RUSAGE_CHILDREN) <= max(before, MEMORY + MEMORY_EACH * 2**23 + SHARED)


def test_what_no_model_takes_is_not_decoded(client: Any) -> None:
    more = {f"c{place}": [1.0, 2.0] for place in range(5_000)}
    odd = {
        "deep": pa.nulls(2, deep(100)),
        "big": ["x" * 100 * MEGABYTE, ""],
        "bytes": [b"", b"\xff"],
    }
    for others in (more, odd):
        reply = send(client, written({**GOOD, **others}, compression="zstd"))
        assert (reply.status, len(reply.json["predictions"])) == (200, 2)


def test_columns_together_are_no_more_than_a_body_may_have() -> None:
    names = [f"c{place}" for place in range(200)]
    body = written({name: np.zeros(10_000) for name in names})
    reader = ParquetReader(Limits())
    with pytest.raises(RequestInvalid) as caught:
        reader.read(body, names)
    assert caught.value.code == "request.too-large"
    assert [len(one) for one in reader.read(body, names[:100]).values()] == [10_000] * 100
    reader.close()


def test_its_process_is_bounded_and_sees_no_secret(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert reader_of(client)._process is None
    assert send(client, written(GOOD)).status == 200
    pid = pid_of(client)
    limits = Path(f"/proc/{pid}/limits").read_text()
    (data,) = (line.split()[3:5] for line in limits.splitlines() if line.startswith("Max data"))
    assert data == [f"{MEMORY + MEMORY_EACH * 8 * 2**20}"] * 2
    assert b"SECRET" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert send(client, written(GOOD)).status == 200
    assert pid_of(client) == pid


def test_it_finds_libraries_where_its_endpoint_did(tmp_path: Path) -> None:
    """One of a bundle has them in a folder that nothing names but itself."""
    body = tmp_path / "body.parquet"
    body.write_bytes(written(GOOD))
    # An editable install is found by a hook that `-S` leaves out.
    folders = [str(Path(freehold.__file__).parents[1]), *sys.path]
    program = f"""
import sys
sys.path[:] = {folders!r}
from pathlib import Path
from freehold.endpoint.parquet_reader import ParquetReader
from freehold.serving.request import Limits
reader = ParquetReader(Limits())
print(reader.read(Path({str(body)!r}).read_bytes(), ["carrier"]))
reader.close()
"""
    command = [sys.executable, "-I", "-S", "-B", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "{'carrier': ['UA', '??']}\n", done.stderr


def test_it_ends_with_its_endpoint(client: Any) -> None:
    assert send(client, written(GOOD)).status == 200
    process = reader_of(client)._process
    assert process is not None and process.stdin is not None
    # As it is when whoever asked is killed.
    process.stdin.close()
    assert process.wait(60) == 0


def test_one_that_was_killed_or_hangs_is_replaced(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(client, written(GOOD)).status == 200
    first = pid_of(client)
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert send(client, written(GOOD)).status == 200
    second = pid_of(client)
    os.kill(second, signal.SIGSTOP)
    monkeypatch.setattr(parquet_reader, "LONGEST", 0.2)
    reply = send(client, written(GOOD))
    assert (reply.status, reply.json["code"]) == (413, "request.too-large")
    monkeypatch.undo()
    assert send(client, written(GOOD)).status == 200
    assert len({first, second, pid_of(client)}) == 3


def test_one_that_keeps_memory_is_replaced(client: Any) -> None:
    assert send(client, written(GOOD)).status == 200
    first = pid_of(client)
    reader_of(client)._memory = 1
    assert send(client, written(GOOD)).status == 200
    assert reader_of(client)._process is None
    reader_of(client)._memory = MEMORY
    assert send(client, written(GOOD)).status == 200
    assert pid_of(client) != first


def test_where_none_starts_the_sender_is_told_that_it_is_not_his_fault(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("/nowhere", "/bin/false"):
        monkeypatch.setattr("sys.executable", program)
        reply = send(client, written(GOOD))
        assert (reply.status, reply.json["code"]) == (503, "endpoint.no-reader")


def test_a_model_elsewhere_takes_it_too(site: Any, client_of: Any, held: Any) -> None:
    site.runtime = held
    site.model(1)
    site.route((1, 100.0, "champion"))
    held.let.set()
    reply = send(client_of(), written(GOOD))
    assert (reply.status, reply.json["predictions"]) == (200, [0.5, 0.5])


def test_others_do_not_wait_for_it(site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    whole = EndpointSettings(site.folder, port=0)
    found: list[tuple[int, str]] = []
    with EndpointThread(whole, site.runtime, site.signing) as endpoint:
        address = urlsplit(endpoint.url).netloc

        def ask(body: bytes, kind: str) -> tuple[int, Any, str | None]:
            connection = http.client.HTTPConnection(address, timeout=60)
            connection.request("POST", "/invocations", body, {"content-type": kind})
            reply = connection.getresponse()
            told = json.loads(reply.read())
            connection.close()
            return reply.status, told, reply.headers["retry-after"]

        assert ask(written(GOOD), PARQUET)[0] == 200
        reader = endpoint.endpoint.application.parquet
        assert reader._process is not None
        os.kill(reader._process.pid, signal.SIGSTOP)
        threads = [
            threading.Thread(target=lambda: found.append(ask(written(GOOD), PARQUET)[:1]))
            for _ in range(WAITING)
        ]
        for thread in threads:
            thread.start()
        while reader._waiting < WAITING:
            threading.Event().wait(0.001)
        row = b'{"dataframe_records": [{"distance": 1, "carrier": "UA"}]}'
        for _ in range(50):
            assert ask(row, "application/json")[0] == 200
            assert ask(b"distance,carrier\n1,UA", "text/csv")[0] == 200
        status, told, after = ask(written(GOOD), PARQUET)
        assert (status, told["code"], after) == (429, "endpoint.overloaded", "1")
        os.kill(reader._process.pid, signal.SIGCONT)
        for thread in threads:
            thread.join()
        assert found == [(200,)] * WAITING
        assert ask(written(GOOD), PARQUET)[0] == 200


SEEDS = [
    written(
        {
            "distance": pa.array([1.5, None, 2.0] * 20),
            "carrier": pa.array(["UA", None, "é"] * 20).dictionary_encode(),
            "id": [f"{place}" for place in range(60)],
        },
        row_group_size=40,
        compression=codec,
        **ways,
    )
    for codec in ("snappy", "zstd", "gzip", "none")
    for ways in ({}, {"data_page_version": "2.0"}, {"use_dictionary": False})
]
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 255)), min_size=1, max_size=5
)


def never_a_500(client: Any, seed: bytes, changes: list[tuple[float, bool, int]]) -> None:
    body = bytearray(seed)
    foot = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    for place, is_in_footer, value in changes:
        low, high = (foot, len(body) - 1) if is_in_footer else (0, foot - 1)
        body[low + int(place * (high - low))] = value
    reply = send(client, bytes(body))
    assert reply.status < 500, reply.body
    assert reply.status == 200 or (reply.json["code"] and reply.json["error"])


@SHORT
@given(seed=st.sampled_from(SEEDS), changes=CHANGES)
def test_any_change_of_a_file(client: Any, seed: bytes, changes: Any) -> None:
    never_a_500(client, seed, changes)


@pytest.mark.long
@LONG
@given(seed=st.sampled_from(SEEDS), changes=CHANGES)
def test_many_changes_of_a_file(client: Any, seed: bytes, changes: Any) -> None:
    never_a_500(client, seed, changes)
