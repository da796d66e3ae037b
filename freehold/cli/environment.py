"""What processes that a command starts find in their environment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from freehold.app.project.reading import SITE_VARIABLE


@contextmanager
def steps_at(site: str) -> Iterator[None]:
    """Processes that run steps find the site as any command does: by the environment."""
    before = os.environ.get(SITE_VARIABLE)
    os.environ[SITE_VARIABLE] = site
    try:
        yield
    finally:
        if before is None:
            del os.environ[SITE_VARIABLE]
        else:
            os.environ[SITE_VARIABLE] = before
