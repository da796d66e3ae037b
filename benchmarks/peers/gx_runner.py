"""Great Expectations on a pandas frame: TABLE.parquet SUITE.json REPEATS.

Prints the import's and the validation's seconds, then a verdict for each expectation.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

STARTED = time.perf_counter()
warnings.filterwarnings("ignore")

import great_expectations as gx  # noqa: E402
import pandas as pd  # noqa: E402

IMPORTED = time.perf_counter() - STARTED

from benchmarks.peers.figures import figure, seconds  # noqa: E402


def main() -> None:
    table, suite_file, repeats = sys.argv[1:]
    figure("import_s", IMPORTED)
    frame = pd.read_parquet(table)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("source").add_dataframe_asset("asset")
    batch = asset.add_batch_definition_whole_dataframe("batch").get_batch(
        batch_parameters={"dataframe": frame}
    )
    suite = gx.ExpectationSuite(**json.loads(Path(suite_file).read_text()))

    def validate(result_format: str) -> Any:
        return batch.validate(suite, result_format=result_format)

    if int(repeats):
        for name in ("BOOLEAN_ONLY", "SUMMARY"):
            validate(name)
            figure(name, median(seconds(lambda n=name: validate(n)) for _ in range(int(repeats))))
    # Its own order is that of columns, not of the suite: what was written in `meta` tells them
    # apart.
    for result in validate("COMPLETE").results:
        found = result.result
        verdict = {
            "position": result.expectation_config.meta["position"],
            "success": bool(result.success),
            "unexpected": found.get("unexpected_count"),
            "rows": found.get("unexpected_index_list"),
        }
        print(json.dumps({"verdict": verdict}, default=int))


if __name__ == "__main__":
    main()
