"""Where a frame may be put in among those of an HTTP/2 connection, however they are cut."""

from hypothesis import given
from hypothesis import strategies as st

from freehold.endpoint.grpc.frames import Echo, Frames, farewell

DATA, HEADERS, SETTINGS, CONTINUATION, END_HEADERS = 0, 1, 4, 9, 0x4


def frame(kind: int, flags: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + (1).to_bytes(4) + payload


small = st.binary(max_size=20)
plain = st.builds(frame, st.sampled_from([DATA, SETTINGS, 6, 8, 200]), st.integers(0, 255), small)
ended = st.builds(frame, st.just(HEADERS), st.just(END_HEADERS | 1), small)
block = st.builds(
    lambda first, between, last: b"".join(
        [
            frame(HEADERS, 1, first),
            *(frame(CONTINUATION, 0, one) for one in between),
            frame(CONTINUATION, END_HEADERS, last),
        ]
    ),
    small,
    st.lists(small, max_size=2),
    small,
)
"""What nothing may come between."""


@given(pieces=st.lists(plain | ended | block, min_size=1, max_size=8), data=st.data())
def test_room_is_behind_whole_frames_and_blocks(pieces: list[bytes], data: st.DataObject) -> None:
    sent = b"".join(pieces)
    rooms = [sum(map(len, pieces[: number + 1])) for number in range(len(pieces))]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent)))) | {len(sent)})
    frames, before = Frames(), 0
    assert not frames.has_room
    for cut in cuts:
        room = frames.take(sent[before:cut])
        within = [one - before for one in rooms if before < one <= cut]
        assert room == (within[0] if within else 0)
        assert frames.has_room == (cut in rooms)
        before = cut


@given(before=st.binary(max_size=60), behind=st.binary(max_size=60), data=st.data())
def test_the_answer_to_the_ping_is_heard_however_it_is_cut(
    before: bytes, behind: bytes, data: st.DataObject
) -> None:
    echo, mark = Echo(b"\x01mark\xff\x00\x02"), b"\x01mark\xff\x00\x02"
    answer = (8).to_bytes(3) + bytes((6, 1)) + bytes(4) + mark
    whole = before + answer + behind
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)))) | {len(whole)})
    start, heard_at = 0, len(before) + len(answer)
    for cut in cuts:
        echo.take(whole[start:cut])
        assert echo.heard == (cut >= heard_at)
        start = cut


def test_the_ping_itself_is_not_its_answer() -> None:
    echo = Echo(b"12345678")
    echo.take(farewell(b"12345678"))
    assert not echo.heard


def test_a_farewell_leaves_no_stream_out() -> None:
    goaway = bytes.fromhex("000008 07 00 00000000 7fffffff 00000000")
    assert farewell(b"12345678") == goaway + bytes.fromhex("000008 06 00 00000000") + b"12345678"
