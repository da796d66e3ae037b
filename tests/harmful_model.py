"""A model of Python functions that answers well up to a distance of 1,000, and does harm beyond."""

import json

LOADER = """
import math, time

KEPT = []


class Model:
    def predict(self, table):
        distance = table["distance"].fillna(0.0)
        if (distance > 1000).any():
            HARM
        return 1 / (1 + math.e ** -distance)


def _load_pyfunc(path):
    return Model()
"""


def harmful_model(harm: str) -> dict[str, bytes]:
    """Files of its package. `harm`: a statement of Python."""
    function = {"code": "code", "loader_module": "harmful", "data": "code"}
    return {
        "MLmodel": json.dumps({"flavors": {"python_function": function}}).encode(),
        "code/harmful.py": LOADER.replace("HARM", harm).encode(),
    }
