"""Which processes are a server's."""

from benchmarks.serving.family import TICKS, Member, Status, family_of, status

LINE = "77 (a (strange) name) S 12 70 71 0 -1 4194560 1 2 3 4 {} {} 8 9 20 0 1 0 5555 1 1"


def test_a_line_of_the_kernels() -> None:
    assert status(LINE.format(3 * TICKS, TICKS)) == Status(12, 71, 4.0, 5555, False)
    assert status(LINE.format(0, 0).replace(" S ", " Z ")).gone


def one(parent: int, session: int, *, gone: bool = False) -> Status:
    return Status(parent, session, 1.0, 9, gone)


def test_children_of_children_and_whoever_is_left_in_the_session() -> None:
    everyone = {
        1: one(0, 1),
        5: one(1, 5),
        6: one(5, 6),
        7: one(6, 7),
        8: one(1, 5),
        9: one(1, 1),
        10: one(5, 5, gone=True),
        11: one(8, 11),
    }
    assert family_of(5, everyone) == [Member(pid, 9) for pid in (5, 6, 7, 8, 11)]
    assert family_of(404, everyone) == []
