"""TorchScript modules and exported programs as the archives that PyTorch writes and reads."""

from copy import deepcopy
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from freehold.adapters.torch.archive import read
from freehold.domain.errors import AdapterFailed, IntegrityError, NotSupported
from freehold.ports.codec import Codec


class ModuleCodec(Codec):
    format = "torch"

    def encode(self, value: Any) -> bytes:
        buffer = BytesIO()
        if isinstance(value, torch.jit.ScriptModule):
            torch.jit.save(value, buffer)
        elif isinstance(value, torch.export.ExportedProgram):
            torch.export.save(_placeless(value), buffer)
        else:
            raise NotSupported(
                f"a {type(value).__name__} is not stored as a PyTorch model",
                why="a module's own code is not stored, and pickle is not used",
                hint="return torch.export.export(module, …) or torch.jit.script(module)",
                code="codec.unsupported",
            )
        return buffer.getvalue()

    def decode(self, data: bytes, kind: Any, workspace: Path) -> Any:
        del kind, workspace
        try:
            return read(data)
        except AdapterFailed as exc:
            raise IntegrityError(exc.what, why=exc.why, code="artifact.unreadable") from exc


def _placeless(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """A copy that does not name the files on this machine that it was made of."""
    made = deepcopy(program)
    for node in made.graph.nodes:
        node.meta.pop("stack_trace", None)
    return made
