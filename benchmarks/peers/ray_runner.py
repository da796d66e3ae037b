"""Ray Serve with one replica: `… ray_runner MODEL PORT`."""

import sys
import time
from typing import Any

import lightgbm
import numpy as np
import ray
from ray import serve
from starlette.requests import Request

ROOM = 200_000_000
"""Bytes of its object store, which nothing here uses."""


# By default no more than five requests are under way at a replica.
@serve.deployment(
    num_replicas=1,
    max_ongoing_requests=100,
    ray_actor_options={"num_cpus": 1},
    logging_config={"enable_access_log": False},
)
class Served:
    def __init__(self, model: str) -> None:
        self._booster = lightgbm.Booster(model_file=model)

    async def __call__(self, request: Request) -> dict[str, Any]:
        rows = np.asarray((await request.json())["rows"])
        return {"predictions": self._booster.predict(rows).tolist()}


def main(model: str, port: str) -> None:
    ray.init(include_dashboard=False, object_store_memory=ROOM, log_to_driver=False)
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(port)},
        logging_config={"enable_access_log": False},
    )
    serve.run(Served.bind(model), route_prefix="/predict")
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
