"""Models of LightGBM from their text."""

from functools import lru_cache

import lightgbm

from freehold.domain.errors import AdapterFailed


def read_booster(data: bytes) -> lightgbm.Booster:
    """Raises AdapterFailed (`model.unreadable`)."""
    # LightGBM writes to stderr, or ends the process, on what is no model: ask it only for models.
    if not data.startswith(b"tree\n") or b"\nend of trees" not in data:
        raise _unreadable("it does not begin or end as the text of a model does")
    try:
        return lightgbm.Booster(model_str=data.decode())
    except (lightgbm.basic.LightGBMError, ValueError) as exc:
        raise _unreadable(str(exc)) from exc


@lru_cache(maxsize=4)
def booster_of(data: bytes) -> lightgbm.Booster:
    """The same, with the last few kept: for answering, not for changing."""
    return read_booster(data)


def _unreadable(why: str) -> AdapterFailed:
    return AdapterFailed("this is not a LightGBM model", why=why, code="model.unreadable")
