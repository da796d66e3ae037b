"""An endpoint that keeps no log, for the benchmark alone: the product has no such switch.

The rows that are answered are made into what the log takes, as ever, and then let go of: the figure
is what queueing and writing cost, not what making a row for it does. `python -m
benchmarks.serving.unlogged …` takes what `python -m freehold.endpoint …` takes.
"""

from importlib import import_module

from freehold.endpoint.__main__ import main
from freehold.endpoint.request_log import RequestLog
from freehold.serving.prediction_log import Batch


class Swallowing(RequestLog):
    def offer(self, _batch: Batch) -> bool:
        return True


if __name__ == "__main__":
    vars(import_module("freehold.endpoint.endpoint"))["RequestLog"] = Swallowing
    raise SystemExit(main())
