"""What a basket will come to: rows about people, and what is learned from them."""

import random

from freehold import pipeline, step


@step(labels={"residency": "EU", "pii": ""}, seconds=300, output="4GB")
def baskets(rows: int) -> list:
    chance = random.Random(1)
    return [round(chance.gammavariate(2.0, 20.0), 2) for _ in range(rows)]


@step(cpus=4, memory="12GiB", seconds=7200, output="50MB", resumes=True)
def fit(baskets: list) -> float:
    return sum(baskets) / len(baskets)


@step(cpus=4, seconds=1200, output="10MB")
def report(mean: float) -> str:
    return f"a basket comes to {mean:.2f}"


@pipeline
def train(rows: int = 10_000) -> str:
    return report(fit(baskets(rows)))
