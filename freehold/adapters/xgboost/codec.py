"""Boosters as the JSON that XGBoost itself writes and reads."""

from pathlib import Path
from typing import Any

import xgboost

from freehold.adapters.xgboost.booster import read_booster
from freehold.domain.errors import AdapterFailed, IntegrityError, NotSupported
from freehold.ports.codec import Codec


class BoosterCodec(Codec):
    """Keeps every tree: a booster predicts with all of them, whatever its best iteration was."""

    format = "xgboost"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, xgboost.Booster):
            raise NotSupported(
                f"a {type(value).__name__} is not stored as an XGBoost model",
                code="codec.unsupported",
                hint="return the booster itself: `model.get_booster()` of a scikit-learn estimator",
            )
        return bytes(value.save_raw("json"))

    def decode(self, data: bytes, kind: Any, workspace: Path) -> Any:
        del kind, workspace
        try:
            return read_booster(data)
        except AdapterFailed as exc:
            raise IntegrityError(exc.what, why=exc.why, code="artifact.unreadable") from exc
