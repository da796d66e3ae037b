"""Decisions on the hot path: who answers a row, what a request says, what an answer looks like."""
