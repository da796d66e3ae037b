"""What PyTorch itself answers: `python answers.py ARCHIVE`, rows as JSON on standard input, a batch
on each line."""

import json
import sys

import torch

path = sys.argv[1]
model = torch.export.load(path).module() if path.endswith("pt2") else torch.jit.load(path)
with torch.inference_mode():
    for line in sys.stdin:
        rows = torch.tensor(
            [
                [float("nan") if value is None else value for value in row]
                for row in json.loads(line)
            ],
            dtype=torch.float32,
        )
        print(json.dumps(model(rows).double().reshape(-1).tolist()), flush=True)
