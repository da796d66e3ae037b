"""Contracts: Great Expectations suites, evaluated on tables with Polars."""

from freehold.catalog.contracts.evaluation import evaluate
from freehold.catalog.contracts.report import failing_rows, failure
from freehold.catalog.contracts.suite import parse
from freehold.catalog.contracts.vocabulary import KINDS

__all__ = ["KINDS", "evaluate", "failing_rows", "failure", "parse"]
