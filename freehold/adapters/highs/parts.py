"""Placements fall into parts between which nothing flows."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from freehold.adapters.highs.question import Question
from freehold.domain.placement import Problem


def independent(problem: Problem) -> tuple[Problem, ...]:
    """Problems under a deadline that may be solved each alone. What shares a budget or quotas is
    one; without a deadline `parts_of` is finer."""
    if problem.deadline is None or problem.budget is not None or problem.quotas:
        return (problem,)
    names = sorted(task.name for task in problem.tasks)
    number = {name: at for at, name in enumerate(names)}
    flows = [flow for flow in problem.flows if flow.readers]
    together = [[number[name] for name in (*f.readers, *filter(None, [f.maker]))] for f in flows]
    together += [[number[name] for name in (t.name, *t.after)] for t in problem.tasks]
    parts = _joined(len(names), together)
    of = {names[task]: at for at, part in enumerate(parts) for task in part}
    return tuple(
        replace(
            problem,
            tasks=tuple(task for task in problem.tasks if of[task.name] == at),
            flows=tuple(flow for flow in flows if of[flow.readers[0]] == at),
        )
        for at in range(len(parts))
    )


def parts_of(question: Question) -> list[tuple[int, ...]]:
    """Tasks by part, each ascending; without limits, waiting joins nothing."""
    together = [
        [*stream.readers, *([stream.maker] if stream.maker >= 0 else [])]
        for stream in question.streams
    ]
    return _joined(len(question.names), together)


def _joined(count: int, together: Iterable[Sequence[int]]) -> list[tuple[int, ...]]:
    above = list(range(count))

    def root(task: int) -> int:
        while above[task] != task:
            above[task] = above[above[task]]
            task = above[task]
        return task

    for first, *others in together:
        for other in others:
            above[root(other)] = root(first)
    parts: dict[int, list[int]] = {}
    for task in range(count):
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
