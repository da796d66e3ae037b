"""Which servers there are: the bare one, ours in its several ways, and those of others."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import setup
from benchmarks.peers.setup import installed_version, interpreter, prepared
from benchmarks.serving import environment
from benchmarks.serving.standing import Server

INFER = "/v2/models/m/infer"
LIMIT, BAREST, CONSTANT, OURS = "limit", "barest", "constant", "freehold"
UNLOGGED = f"{OURS} without its log"
BESIDE = f"{OURS} beside pandas and scikit-learn"
WITH_ONNX = f"{OURS} with ONNX Runtime"
MODEL = "model.txt"


def limit(root: Path, python: Path | None = None, name: str = LIMIT) -> Server:
    """`name`: LIMIT or BAREST. In the environment of ours, unless `python` is another one's."""
    arguments = ("-m", f"benchmarks.serving.{name}", str(root / MODEL), "{port}")
    return Server(name, python or environment.interpreter("lightgbm"), arguments, "/predict")


def ours(
    folder: Path,
    name: str = OURS,
    runtime: str = "lightgbm",
    python: Path | None = None,
    module: str = "freehold.endpoint",
) -> Server:
    """`python`: another one than of the environment that has what the runtime needs and no more."""
    arguments = ("-m", module, str(folder), "--port", "{port}", "--runtime", runtime)
    chosen = python or environment.interpreter(runtime)
    return Server(name, chosen, (*arguments, "--until-stdin-ends"), INFER)


def in_this_environment(folder: Path) -> Server:
    """Beside pandas, scikit-learn and all else that development needs."""
    return ours(folder, BESIDE, python=Path(sys.executable))


def without_log(folder: Path, python: Path | None = None) -> Server:
    return ours(folder, UNLOGGED, python=python, module="benchmarks.serving.unlogged")


@dataclass(frozen=True)
class Peer:
    """`benchmarks.peers.<runner>_runner`, in the environment of that name."""

    label: str
    runner: str
    route: str = "/predict"
    form: str = "rows"
    arguments: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Path, Path], Path] = lambda model, _: model
    """What it is given for the model's file, made before it is started; takes a folder too."""

    def server(self, root: Path, state: Path) -> Server:
        """`state`: for its files. Raises PeerFailed if it cannot be had."""
        python = interpreter(self.runner)
        state.mkdir(parents=True, exist_ok=True)
        model = self.prepare(root / MODEL, state)
        module = f"benchmarks.peers.{self.runner}_runner"
        arguments = ("-m", module, str(model), "{port}", *self.arguments)
        return Server(self.label, python, arguments, self.route, self.form, self.variables)

    @property
    def package(self) -> str:
        return setup.PEERS[self.runner].package

    @property
    def version(self) -> str:
        return installed_version(self.runner)


def _mlflow_model(model: Path, state: Path) -> Path:
    folder = state / "mlflow-model"
    if not folder.exists():
        prepared("mlflow", "benchmarks.peers.mlflow_model", [str(model), str(folder)], state=state)
    return folder


PEERS: Mapping[str, Peer] = {
    "fastapi": Peer("FastAPI", "fastapi"),
    "mlserver": Peer("MLServer", "mlserver", INFER, "tensor", ("1",)),
    "mlserver-in-process": Peer("MLServer in process", "mlserver", INFER, "tensor", ("0",)),
    "litserve": Peer("LitServe", "litserve"),
    "mlflow": Peer("MLflow", "mlflow", "/invocations", "matrix", prepare=_mlflow_model),
    "bentoml": Peer("BentoML", "bentoml"),
    "ray": Peer("Ray Serve", "ray", variables={"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"}),
}
"""By the name that `--peers` takes."""
