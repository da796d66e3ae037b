"""Boosters are stored as text and come back as they were."""

from pathlib import Path

import lightgbm
import numpy as np
import pytest

from freehold.adapters.lightgbm.codec import BoosterCodec
from freehold.domain.errors import IntegrityError, NotSupported


def _booster(rounds: int = 20, stop: bool = False) -> lightgbm.Booster:
    random = np.random.default_rng(3)
    rows = random.normal(size=(600, 3))
    labels = rows[:, 0] + random.normal(size=600) * 3 > 0
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "metric": "binary_logloss"}
    train = lightgbm.Dataset(rows[:300], labels[:300], params={"verbose": -1})
    held_out = lightgbm.Dataset(rows[300:], labels[300:], reference=train)
    callbacks = [lightgbm.early_stopping(3, verbose=False)] if stop else []
    return lightgbm.train(settings, train, rounds, valid_sets=[held_out], callbacks=callbacks)


@pytest.mark.parametrize("stop", [False, True])
def test_a_booster_comes_back_with_the_answers_it_gave(stop: bool, tmp_path: Path) -> None:
    booster = _booster(200 if stop else 20, stop)
    data = BoosterCodec().encode(booster)
    again = BoosterCodec().decode(data, lightgbm.Booster, tmp_path)
    rows = np.random.default_rng(4).normal(size=(100, 3))
    assert np.array_equal(again.predict(rows), booster.predict(rows))
    assert BoosterCodec().encode(again) == BoosterCodec().encode(
        BoosterCodec().decode(data, lightgbm.Booster, tmp_path)
    )
    assert BoosterCodec().encode(_booster(200 if stop else 20, stop)) == data


def test_what_is_cut_or_of_another_kind(tmp_path: Path) -> None:
    data = BoosterCodec().encode(_booster())
    cuts = [data[: len(data) * part // 20] for part in range(20)]
    for bad in (b"{}", *cuts, data[:-1]):
        with pytest.raises(IntegrityError) as caught:
            BoosterCodec().decode(bad, lightgbm.Booster, tmp_path)
        assert caught.value.code == "artifact.unreadable"
    with pytest.raises(NotSupported) as unsupported:
        BoosterCodec().encode({"a": 1})
    assert unsupported.value.code == "codec.unsupported"
    assert "dict" in unsupported.value.what
