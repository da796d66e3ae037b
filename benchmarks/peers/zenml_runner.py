"""ZenML: its local orchestrator, which runs steps one after another; state in SQLite, artifacts in
a folder. Cached: the same pipeline again."""

from zenml import pipeline, step

from benchmarks.peers.figures import measure, task

ASKED = task()


@step
def first(start: int) -> dict[str, int]:
    return {"x": start}


@step
def following(value: dict[str, int]) -> dict[str, int]:
    return {"x": value["x"] + 1}


def chain() -> None:
    value = first(0, id="step_0")
    for position in range(1, ASKED.steps):
        value = following(value, id=f"step_{position}")


def fan() -> None:
    for position in range(ASKED.steps):
        first(position, id=f"step_{position}")


def main() -> None:
    body = chain if ASKED.shape == "chain" else fan
    plain = pipeline(enable_cache=False, name=f"plain_{ASKED.shape}")(body)
    kept = pipeline(enable_cache=True, name=f"kept_{ASKED.shape}")(body)
    measure(ASKED, plain, kept)


if __name__ == "__main__":
    main()
