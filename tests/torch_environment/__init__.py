"""PyTorch in an environment of its own: `make torch`."""

from pathlib import Path

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / ".environments" / "torch" / "bin" / "python"


def python() -> str:
    """The interpreter that has it. Raises FileNotFoundError."""
    if not PYTHON.exists():
        raise FileNotFoundError(f"{PYTHON} is not there\n  hint: make torch")
    return str(PYTHON)
