"""A policy's answer, with the rules that gave it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.canonical import digest_of


@dataclass(frozen=True)
class Denial:
    rule: str
    """`file-stem/rule`, the name that people look for: `baseline/auc-not-better`."""
    message: str
    """One sentence with the figures."""


@dataclass(frozen=True)
class Verdict:
    """Raises ValueError if it allows what a rule denied."""

    allowed: bool
    denials: tuple[Denial, ...] = ()
    rules: tuple[str, ...] = ()
    """Every rule that was asked, allowed or not, as in `Denial.rule`."""
    policy_digest: str = ""
    """Digest of all policy sources and data that were evaluated."""

    def __post_init__(self) -> None:
        if self.allowed and self.denials:
            raise ValueError(f"allowed, yet denied by {self.denials[0].rule}")

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


def policy_digest(modules: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """`sha256:` of the canonical JSON {data, modules}; raises ValueError if data is not JSON."""
    return digest_of({"data": dict(data), "modules": dict(modules)})
