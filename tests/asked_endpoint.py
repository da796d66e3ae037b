"""How tests ask an endpoint."""

import http.client
from collections import Counter
from threading import Event
from typing import Any
from urllib.parse import urlsplit

INFER = "/v2/models/delay/infer"
VALID: dict[str, Any] = {
    "id": "r1",
    "parameters": {"missing": "null"},
    "inputs": [
        {"name": "distance", "datatype": "FP64", "shape": [2], "data": [1.5, None]},
        {"name": "carrier", "datatype": "BYTES", "shape": [2, 1], "data": [["UA"], ["AA"]]},
        {"name": "id", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]},
    ],
    "outputs": [{"name": "score"}],
}
"""A request that has all there is; each test of a wrong one changes a copy."""


def ask_until(url: str, body: bytes, over: Event) -> Counter[tuple[int, str]]:
    """Asks on one connection, again and again. How often each status came from each site."""
    found: Counter[tuple[int, str]] = Counter()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    while not over.is_set():
        connection.request("POST", INFER, body)
        reply = connection.getresponse()
        reply.read()
        found[reply.status, reply.headers.get("freehold-site", "")] += 1
    connection.close()
    return found
