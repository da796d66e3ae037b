"""Steps at several sites; each leaves a line in marks.txt of the checkout that it runs in."""

import os
import time
from pathlib import Path
from typing import Any

from freehold import checkpoint, pipeline, step

HERE = Path(__file__).parent


def mark(what: str) -> None:
    with (HERE / "marks.txt").open("a") as file:
        file.write(what + "\n")


@step
def numbers(count: int) -> list[int]:
    mark("numbers")
    return list(range(count))


@step
def squares(given: list[int]) -> list[int]:
    mark("squares")
    while (HERE / "hold").exists():
        time.sleep(0.01)
    return [one * one for one in given]


@step
def total(given: list[int]) -> int:
    mark("total")
    return sum(given)


@pipeline
def chain(count: int = 5) -> Any:
    return total(squares(numbers(count)))


@step(retries=1)
def broken(given: list[int]) -> int:
    mark("broken")
    raise ValueError(f"it broke on {given[-1]}")


@pipeline
def failing(count: int = 3) -> Any:
    return broken(numbers(count))


@step(resumes=True)
def counted(given: list[int]) -> list[int]:
    """Says how far it began, how many iterations it did, and the sum."""
    saved = checkpoint.latest()
    done, summed = map(int, saved.split(b",")) if saved else (0, 0)
    began, did = done, 0
    while done < len(given):
        if done == 3 and (HERE / "hold").exists():
            (HERE / "pid").write_text(str(os.getpid()))
            mark("held")
            while (HERE / "hold").exists():
                time.sleep(0.01)
        summed += given[done]
        done, did = done + 1, did + 1
        mark(f"iteration-{done}")
        checkpoint.save(f"{done},{summed}".encode())
    return [began, did, summed]


@pipeline
def counting(count: int = 6) -> Any:
    return counted(numbers(count))


@step(labels={"residency": "EU"})
def people(count: int) -> list[str]:
    mark("people")
    return [f"person {one}" for one in range(count)]


@step
def length(given: list[str]) -> int:
    mark("length")
    return len(given)


@pipeline
def labelled(count: int = 4) -> Any:
    return length(people(count))


@pipeline
def wide(count: int = 3) -> Any:
    made = numbers(count)
    return [total(made), total(squares(made)), squares(numbers(count + 1))]
