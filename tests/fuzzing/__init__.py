"""Coverage-guided fuzzing of what reads bytes that others wrote; no tests.

`python -m tests.fuzzing` says how; `law.py` has what must hold of every input.
"""
