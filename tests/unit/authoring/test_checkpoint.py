"""What a step saves when nobody runs it but its caller."""

from threading import Thread

import pytest

from freehold import checkpoint, step
from freehold.authoring.checkpoint import InMemory, kept_by


@step(resumes=True)
def summed(numbers: list[int], breaks_at: int) -> list[int]:
    """Where it began, and the sum."""
    saved = checkpoint.latest()
    done, total = map(int, saved.split(b",")) if saved else (0, 0)
    began = done
    for number in numbers[done:]:
        if done == breaks_at:
            raise RuntimeError("power cut")
        done, total = done + 1, total + number
        checkpoint.save(f"{done},{total}".encode())
    return [began, total]


def test_a_step_that_is_called_resumes_where_it_raised_and_then_forgets() -> None:
    with pytest.raises(RuntimeError):
        summed([1, 2, 3, 4], 2)
    assert summed([1, 2, 3, 4], -1) == [2, 10]
    assert summed([1, 2, 3, 4], -1) == [0, 10]


def test_what_was_saved_says_what_it_cost() -> None:
    with kept_by(InMemory()):
        assert checkpoint.latest() is None
        first, second = checkpoint.save(b"abc"), checkpoint.save(b"")
        assert (first.number, first.bytes, second.number, second.bytes) == (1, 3, 2, 0)
        assert first.fault == second.fault == ""
        assert checkpoint.latest() == b""


def test_two_threads_do_not_see_each_other() -> None:
    seen: list[bytes | None] = []

    def work(data: bytes) -> None:
        with kept_by(InMemory()):
            checkpoint.save(data)
            seen.append(checkpoint.latest())

    threads = [Thread(target=work, args=(bytes([number]),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one for one in seen if one) == [bytes([number]) for number in range(8)]
