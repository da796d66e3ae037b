"""Placements without limits fall into parts between which nothing flows."""

from collections.abc import Sequence
from dataclasses import replace

from freehold.adapters.highs.question import Question


def parts_of(question: Question) -> list[tuple[int, ...]]:
    """Tasks by part, each ascending."""
    above = list(range(len(question.names)))

    def root(task: int) -> int:
        while above[task] != task:
            above[task] = above[above[task]]
            task = above[task]
        return task

    for stream in question.streams:
        first, *others = [*stream.readers, *([stream.maker] if stream.maker >= 0 else [])]
        for other in others:
            above[root(other)] = root(first)
    parts: dict[int, list[int]] = {}
    for task in range(len(question.names)):
        parts.setdefault(root(task), []).append(task)
    return [tuple(part) for part in parts.values()]


def part_of(question: Question, tasks: Sequence[int]) -> Question:
    """Of these tasks alone, numbered anew; without times."""
    number = {task: at for at, task in enumerate(tasks)}
    return replace(
        question,
        names=tuple(question.names[task] for task in tasks),
        choices=tuple(question.choices[task] for task in tasks),
        streams=tuple(
            replace(
                stream,
                maker=number.get(stream.maker, -1),
                readers=tuple(number[reader] for reader in stream.readers),
            )
            for stream in question.streams
            if stream.readers[0] in number
        ),
        waits=tuple(() for _ in tasks),
        release=question.release[list(tasks)],
        order=tuple(range(len(tasks))),
    )
