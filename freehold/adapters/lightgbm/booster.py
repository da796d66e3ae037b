"""Models of LightGBM from their text."""

from functools import lru_cache

import lightgbm

from freehold.domain.errors import AdapterFailed


def read_booster(data: bytes) -> lightgbm.Booster:
    """Raises AdapterFailed (`model.unreadable`)."""
    _check_frame(data)
    try:
        return lightgbm.Booster(model_str=data.decode())
    except (lightgbm.basic.LightGBMError, ValueError) as exc:
        raise _unreadable(str(exc)) from exc


@lru_cache(maxsize=16)
def booster_of(data: bytes) -> lightgbm.Booster:
    """The same, with the last few kept: for answering, not for changing."""
    return read_booster(data)


def _check_frame(data: bytes) -> None:
    """LightGBM ends the whole process on a model that is cut, so that it is asked for none."""
    header, _, _ = data.partition(b"\nTree=")
    trees = len(header) + 1
    end = data.find(b"\nend of trees\n")
    last = data.rstrip(b"\n").rpartition(b"\n")[2]
    if not (data.startswith(b"tree\n") and data.endswith(b"\n") and end > 0):
        raise _unreadable("it does not begin and end as the text of a model does")
    if not last.startswith(b"pandas_categorical:"):
        raise _unreadable("its last lines are missing")
    sizes = [line[11:] for line in header.split(b"\n") if line.startswith(b"tree_sizes=")]
    if sum(int(size) for size in b" ".join(sizes).split()) != end + 1 - trees:
        raise _unreadable("its trees have other sizes than it says")


def _unreadable(why: str) -> AdapterFailed:
    return AdapterFailed("this is not a LightGBM model", why=why, code="model.unreadable")
