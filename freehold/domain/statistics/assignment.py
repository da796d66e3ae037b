"""Whether rows went to the variants in the shares that were asked for."""

from collections.abc import Sequence
from math import lgamma, log

STRENGTH = 1_000.0
"""Rows that the prior is worth: it takes the asked shares for right to within some hundredths, and
so soon tells a small mismatch."""


def log_mismatch(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Natural logarithm of the evidence against `shares` [v], positive and of sum 1, in `counts`
    [v].

    The sequential test of a multinomial (Lindon and Malek, Anytime-valid inference for multinomial
    count data, NeurIPS 2022): the odds of a Dirichlet mixture around the shares against the shares
    themselves. While rows are sent by the shares, independently, the chance that it ever reaches
    log(1 / risk) is at most `risk`. A key that always goes the same way must be counted once.

    Raises ValueError if they are not counts and shares of the same variants.
    """
    if len(counts) != len(shares) or min(counts) < 0 or min(shares) <= 0:
        raise ValueError("there must be a count, and a share above 0, for each variant")
    if abs(sum(shares) - 1) > 1e-9:
        raise ValueError("the shares must sum to 1")
    rows = sum(counts)
    evidence = lgamma(STRENGTH) - lgamma(STRENGTH + rows)
    for count, share in zip(counts, shares, strict=True):
        prior = STRENGTH * share
        evidence += lgamma(prior + count) - lgamma(prior) - count * log(share)
    return evidence
