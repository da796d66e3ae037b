"""`mlflow models serve` with one worker, of what mlflow_model saved: `… FOLDER PORT`."""

import os
import sys
from pathlib import Path


def main(folder: str, port: str) -> None:
    command = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", folder]
    command += ["--env-manager", "local", "-h", "127.0.0.1", "-p", port, "--workers", "1"]
    # Of uvicorn, which it starts.
    os.execve(command[0], command, os.environ | {"UVICORN_ACCESS_LOG": "false"})


if __name__ == "__main__":
    main(*sys.argv[1:])
