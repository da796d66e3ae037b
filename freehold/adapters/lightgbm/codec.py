"""Boosters as the text that LightGBM itself writes and reads."""

from pathlib import Path
from typing import Any

import lightgbm

from freehold.adapters.lightgbm.booster import read_booster
from freehold.domain.errors import AdapterFailed, IntegrityError, NotSupported
from freehold.ports.codec import Codec


class BoosterCodec(Codec):
    """Keeps a booster up to its best iteration: the trees that it predicts with."""

    format = "lightgbm"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, lightgbm.Booster):
            raise NotSupported(
                f"a {type(value).__name__} is not stored as a LightGBM model",
                code="codec.unsupported",
                hint="return the booster itself: `model.booster_` of a scikit-learn estimator",
            )
        return str(value.model_to_string()).encode()

    def decode(self, data: bytes, kind: Any, workspace: Path) -> Any:
        del kind, workspace
        try:
            return read_booster(data)
        except AdapterFailed as exc:
            raise IntegrityError(exc.what, why=exc.why, code="artifact.unreadable") from exc
