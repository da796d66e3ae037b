"""regopy brings parts of the C++ library of its own. Where they are the first in a process, HiGHS,
if it comes later, is linked to both and ends the process: `free(): invalid pointer`. So the
system's comes first."""

import ctypes
import sys

NAME = "libstdc++.so.6"


def load_standard_library() -> None:
    """Does nothing where there is none of that name: not on Linux, or with another C library."""
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(NAME)
    except OSError:
        return
