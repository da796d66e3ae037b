"""tritonclient.grpc: one client that asks, pauses, and asks again."""

import json
import sys
from time import sleep

from triton_grpc import MODEL, scores, tensors
from tritonclient.grpc import InferenceServerClient

if __name__ == "__main__":
    question = json.load(sys.stdin)
    told = []
    with InferenceServerClient(sys.argv[1]) as client:
        for pause in question["pauses"]:
            sleep(pause)
            told.append(scores(client.infer(MODEL, tensors(question))))
    print(json.dumps(told))
