"""A shop whose endpoint was asked, at a moment of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asked_shop import NOW, Shop, shop_at


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with shop_at(tmp_path, NOW) as found:
        yield found
