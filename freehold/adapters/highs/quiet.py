"""HiGHS without its banner: what a command prints on standard output is the command's."""

from typing import Any

import highspy


class QuietHighs(highspy.Highs):
    """The library's constructor turns callbacks on, and that logs, before anybody can say no."""

    def enableCallbacks(self) -> Any:  # noqa: N802 - the library's name
        self.setOptionValue("output_flag", False)
        return super().enableCallbacks()  # type: ignore[no-untyped-call]
