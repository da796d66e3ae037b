"""Verdicts, signatures, and the proof of history."""
