"""What is asked of numbers that came as one tensor."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from freehold.serving.tensor import fit_float32

LARGEST = float(np.finfo(np.float32).max)
NUMBERS = st.floats() | st.sampled_from([LARGEST, -LARGEST, np.nextafter(LARGEST, np.inf)])


@given(few=st.lists(NUMBERS, min_size=1, max_size=8), more=st.sampled_from([0, 60, 300]))
def test_numbers_fit_where_fp32_holds_each_of_them(few: list[float], more: int) -> None:
    numbers = np.array([*[1.0] * more, *few])
    with np.errstate(over="ignore"):
        held = np.isfinite(numbers.astype(np.float32)).all()
    beyond = np.abs(numbers) > LARGEST
    assert fit_float32(numbers) == (held and not beyond.any())
