"""MLServer by its own command: `… mlserver_runner MODEL PORT WORKERS`; 0: in its own process.

It also listens for gRPC and for metrics, on the two ports that follow.
"""

import json
import os
import sys
from pathlib import Path


def main(model: str, port: str, workers: str) -> None:
    folder = Path(model).with_name(f"mlserver-{workers}")
    folder.mkdir(exist_ok=True)
    settings = {
        "host": "127.0.0.1",
        "http_port": int(port),
        "grpc_port": int(port) + 1,
        "metrics_port": int(port) + 2,
        "parallel_workers": int(workers),
        # Its access log goes with it.
        "debug": False,
    }
    served = {
        "name": "m",
        "implementation": "mlserver_lightgbm.LightGBMModel",
        "parameters": {"uri": model, "version": "1"},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(served))
    command = [str(Path(sys.executable).with_name("mlserver")), "start", str(folder)]
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
