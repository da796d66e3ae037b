"""Accelerators' use, as a Prometheus server has it that scrapes NVIDIA's DCGM exporter.

Source: Prometheus, HTTP API, "Instant queries" and "Range queries"; NVIDIA DCGM exporter, default
counters. Nothing else is asked: a machine without such a server has no known use.
"""

import json
import os
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from freehold.domain.errors import Failed, Unreachable, WrongUsage

METRICS_VARIABLE = "FREEHOLD_METRICS"
"""Environment variable with the address of the Prometheus server that knows this machine."""
SELECTOR_VARIABLE = "FREEHOLD_ACCELERATORS"
"""Environment variable with the labels by which that server tells which accelerators are meant."""
USE = "DCGM_FI_DEV_GPU_UTIL"
"""0 to 100, of each accelerator."""
MINUTE = 60
SECONDS = 5.0
"""For an answer."""


@dataclass(frozen=True)
class AcceleratorMetrics:
    """Raises Unreachable `metrics.unreachable`, Failed `metrics.refused` where it is asked."""

    url: str
    selector: str = ""
    """In PromQL, without braces: `Hostname="gpu-1"`."""

    def __post_init__(self) -> None:
        """Raises WrongUsage `usage.metrics`."""
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise WrongUsage(
                f"'{self.url}' is no address of a metrics server",
                why="an address begins with http:// or https:// and names a host",
                hint="such as http://prometheus.monitoring:9090",
                code="usage.metrics",
            )

    def between(self, start: float, end: float) -> float | None:
        """The mean share, 0 to 1, of all accelerators that are meant, from `start` to `end`,
        seconds since 1970 UTC; None where nothing was scraped of them."""
        seconds = max(1, round(end - start))
        query = f"avg(avg_over_time({USE}{{{self.selector}}}[{seconds}s])) / 100"
        found = self._asked("query", query=query, time=f"{end:.3f}")
        return _share(found[0]["value"][1]) if found else None

    def by_minute(self, first: int, end: int) -> dict[int, float]:
        """Minute since 1970 UTC → mean share of the replicas, from `first` to before `end`. A
        replica counts once, however many accelerators it has; minutes without one are left out."""
        query = f"avg(avg by (pod) (avg_over_time({USE}{{{self.selector}}}[1m]))) / 100"
        # What is told of a moment is the minute that ends with it.
        found = self._asked(
            "query_range",
            query=query,
            start=str((first + 1) * MINUTE),
            end=str(end * MINUTE),
            step=str(MINUTE),
        )
        values = found[0]["values"] if found else []
        told = {int(moment) // MINUTE - 1: _share(value) for moment, value in values}
        return {minute: share for minute, share in told.items() if share is not None}

    def _asked(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        address = f"{self.url.rstrip('/')}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=SECONDS) as answer:
                told = json.load(answer)
            result: list[dict[str, Any]] = told["data"]["result"]
        except urllib.error.HTTPError as error:
            raise self._refused(f"it answered {error.code}: {_words(error)}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise self._refused(f"what it answered is no answer of Prometheus ({error})") from error
        except OSError as error:
            raise Unreachable(
                f"the metrics server at {self.url} does not answer",
                why=str(getattr(error, "reason", error)),
                hint=f"look at its address: --metrics or {METRICS_VARIABLE}",
                code="metrics.unreachable",
            ) from error
        return result

    def _refused(self, why: str) -> Failed:
        return Failed(
            f"the metrics server at {self.url} does not tell the accelerators' use",
            why=why,
            hint=f"look at its address, and at the labels in {SELECTOR_VARIABLE}",
            code="metrics.refused",
        )


def metrics_here() -> AcceleratorMetrics | None:
    """Of this machine, by the environment; None where it names no server. Without labels, those
    whose `Hostname` is this machine's. Raises WrongUsage `usage.metrics`."""
    url = os.environ.get(METRICS_VARIABLE, "")
    own = f'Hostname="{socket.gethostname()}"'
    return AcceleratorMetrics(url, os.environ.get(SELECTOR_VARIABLE, "") or own) if url else None


def metrics_of(url: str, deployment: Callable[[], str]) -> AcceleratorMetrics | None:
    """Of an endpoint's replicas, by the names of their pods as manifests have them, unless the
    environment says other labels; None where neither `url` nor it names a server. Raises WrongUsage
    `usage.metrics`."""
    url, said = url or os.environ.get(METRICS_VARIABLE, ""), os.environ.get(SELECTOR_VARIABLE, "")
    return AcceleratorMetrics(url, said or f'pod=~"{deployment()}-.+"') if url else None


def _share(value: str) -> float | None:
    """None for what is not a number; never over one, whatever an exporter says."""
    share = float(value)
    return min(max(share, 0.0), 1.0) if share == share else None


def _words(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)
