"""Real servers for the suites, started on loopback. `tests/conftest.py` makes fixtures of them."""
