"""Will a basket be abandoned? A network says so."""

import numpy as np
import polars as pl
import torch

from freehold import Candidate, Columns, pipeline, step


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1)
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.layers(torch.nan_to_num(rows) / 10))


@step
def baskets(rows: int, seed: int) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    items, minutes = chance.poisson(4, rows), chance.gamma(2.0, 6.0, rows)
    device = np.where(chance.random(rows) < 0.6, "phone", "desk")
    pull = 0.12 * minutes - 0.35 * items + 0.8 * (device == "phone")
    left = chance.random(rows) < 1 / (1 + np.exp(-pull))
    return pl.DataFrame({"items": items, "minutes": minutes, "device": device, "left": left})


@step
def columns(training: pl.DataFrame) -> Columns:
    return Columns.fit(training, ["items", "minutes", "device"])


def fitted(training: pl.DataFrame, columns: Columns) -> torch.nn.Module:
    torch.set_num_threads(1)
    network = Network()
    rows = torch.tensor(columns.matrix(training))
    labels = torch.tensor(training["left"].to_numpy(), dtype=torch.float32)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy(network(rows)[:, 0], labels).backward()
        optimizer.step()
    return network.eval()


def exported(network: torch.nn.Module) -> torch.export.ExportedProgram:
    rows = torch.export.Dim("rows", min=1)
    return torch.export.export(network, (torch.zeros(3, 3),), dynamic_shapes={"rows": {0: rows}})


@step
def export(training: pl.DataFrame, columns: Columns) -> torch.export.ExportedProgram:
    return exported(fitted(training, columns))


@pipeline
def train(rows: int = 3000, seed: int = 1) -> Candidate:
    training, evaluation = baskets(rows, seed), baskets(rows, seed + 1)
    inputs = columns(training)
    model = export(training, inputs)
    return Candidate(
        model=model, columns=inputs, training=training, evaluation=evaluation, target="left"
    )
