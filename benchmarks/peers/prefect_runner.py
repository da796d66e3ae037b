"""Prefect: a flow of tasks on the server that it starts by itself; independent tasks on its
thread pool. Cached: by inputs, results on disk."""

from prefect import flow, task
from prefect.cache_policies import INPUTS, NO_CACHE

from benchmarks.peers import figures

ASKED = figures.task()


def step(value: dict[str, int], position: int) -> dict[str, int]:
    return {"x": value["x"] + 1, "position": position}


plain = task(cache_policy=NO_CACHE)(step)
kept = task(cache_policy=INPUTS, persist_result=True)(step)


@flow
def chain(cached: bool) -> int:
    work = kept if cached else plain
    value = {"x": 0}
    for position in range(ASKED.steps):
        value = work(value, position)
    return value["x"]


@flow
def fan(cached: bool) -> int:
    work = kept if cached else plain
    submitted = [work.submit({"x": 0}, position) for position in range(ASKED.steps)]
    return sum(future.result()["x"] for future in submitted)


def main() -> None:
    run = chain if ASKED.shape == "chain" else fan
    figures.measure(ASKED, lambda: run(False), lambda: run(True))


if __name__ == "__main__":
    main()
