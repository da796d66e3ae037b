"""PyTorch holds the laws of the ports for models. Run where it is installed:
`.environments/torch/bin/python -m pytest --noconftest tests/torch_environment/suite.py`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from freehold.adapters.torch.codec import ModuleCodec
from freehold.adapters.torch.framework import TorchFramework
from freehold.domain.errors import IntegrityError, NotSupported
from freehold.ports.contracts.model_framework import ModelFrameworkContract


class Network(torch.nn.Module):
    def __init__(self, end: str = "sigmoid") -> None:
        super().__init__()
        torch.manual_seed(3)
        # In double precision, so that a sum over a batch rounds as that over a row.
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1)
        ).double()
        self.end = end

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        if self.end == "strict":
            return torch.sigmoid(self.layers(rows.double()))
        found = self.layers(torch.nan_to_num(rows).double())
        if self.end == "raw":
            return found * 100
        if self.end == "pair":
            return torch.sigmoid(torch.cat([found, -found], dim=1))
        return torch.sigmoid(found)


def exported(module: torch.nn.Module) -> Any:
    rows = torch.export.Dim("rows", min=1)
    return torch.export.export(
        module.eval(), (torch.zeros(3, 4),), dynamic_shapes={"rows": {0: rows}}
    )


def scripted(module: torch.nn.Module) -> Any:
    return torch.jit.trace(module.eval(), torch.zeros(3, 4))


MAKERS = {"exported": exported, "scripted": scripted}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def matrix() -> NDArray[np.float32]:
    random = np.random.default_rng(1)
    rows = random.normal(size=(400, 4)).astype(np.float32)
    rows[random.random(rows.shape) < 0.1] = np.nan
    return rows


@pytest.fixture(scope="module", params=MAKERS)
def data(request: pytest.FixtureRequest) -> bytes:
    return ModuleCodec().encode(MAKERS[request.param](Network()))


class TestTorchFramework(ModelFrameworkContract):
    @pytest.fixture
    def framework(self) -> TorchFramework:
        return TorchFramework()

    @pytest.mark.parametrize(
        ("end", "code"),
        [("raw", "model.not-binary"), ("pair", "model.not-binary"), ("strict", "model.no-missing")],
    )
    def test_what_cannot_be_served_is_refused(
        self, framework: TorchFramework, matrix: NDArray[np.float32], end: str, code: str
    ) -> None:
        data = ModuleCodec().encode(exported(Network(end)))
        with pytest.raises(NotSupported) as caught:
            framework.predict(data, matrix)
        assert caught.value.code == code


def test_a_module_comes_back_with_the_answers_it_gave(
    data: bytes, matrix: NDArray[np.float32], tmp_path: Path
) -> None:
    again = ModuleCodec().decode(data, object, tmp_path)
    module = again.module() if hasattr(again, "module") else again
    with torch.inference_mode():
        found = module(torch.tensor(matrix)).numpy().reshape(-1)
        own = Network().eval()(torch.tensor(matrix)).numpy().reshape(-1)
    assert np.array_equal(found, own)
    assert np.array_equal(TorchFramework().predict(data, matrix), own)


def test_equal_programs_give_equal_bytes() -> None:
    first, second = (ModuleCodec().encode(exported(Network())) for _ in range(2))
    assert first == second


def test_what_is_cut_or_would_need_pickle(data: bytes, tmp_path: Path) -> None:
    for part in range(10):
        with pytest.raises(IntegrityError) as caught:
            ModuleCodec().decode(data[: len(data) * part // 10], object, tmp_path)
        assert caught.value.code == "artifact.unreadable"
    with pytest.raises(NotSupported) as unsupported:
        ModuleCodec().encode(Network())
    assert unsupported.value.code == "codec.unsupported"
