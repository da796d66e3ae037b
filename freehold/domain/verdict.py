"""A policy's answer, with the rules that gave it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Denial:
    rule: str
    """`file-stem/rule`, the name that people look for: `baseline/auc-not-better`."""
    message: str
    """One sentence with the figures."""


@dataclass(frozen=True)
class Verdict:
    allowed: bool
    denials: tuple[Denial, ...] = ()
    rules: tuple[str, ...] = ()
    """Every policy that was asked, allowed or not."""
    policy_digest: str = ""
    """Digest of all policy sources and data that were evaluated."""

    def as_json(self) -> dict[str, Any]:
        return {
            "allowed": self.allowed,
            "denials": [{"message": d.message, "rule": d.rule} for d in self.denials],
            "policy_digest": self.policy_digest,
            "rules": list(self.rules),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Verdict":
        return cls(
            allowed=value["allowed"],
            denials=tuple(Denial(d["rule"], d["message"]) for d in value["denials"]),
            rules=tuple(value["rules"]),
            policy_digest=value["policy_digest"],
        )
