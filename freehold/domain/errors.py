"""Every error a user can meet, as one tree.

FreeholdError
  Refused               freehold did not do it; nothing changed                exit 1
    ProjectInvalid      freehold.yaml, a step, a policy or a contract is wrong
    PipelineInvalid     steps do not fit together
    ContractFailed      data does not satisfy its contract
    PolicyDenied        a policy said no
    BudgetExceeded      it would cost more than may be spent
    PlacementImpossible no assignment of steps to machines meets what was asked
    NotFound            a name that stands for nothing
    Conflict            somebody else changed it first
    RequestInvalid      a prediction request is malformed
  Failed                it was tried and did not work                          exit 1
    StepFailed          the user's code in a step raised
    IntegrityError      bytes are not what was signed or recorded
    StorageFailed       the disk or the store did not take the bytes
    AdapterFailed       an engine failed
      AdapterMissing    the adapter is not installed
      NotSupported      the adapter lacks the capability
  WrongUsage            the command line cannot be read                        exit 2
  Unreachable           something outside did not answer                       exit 3

Each class has a stable code family; an instance may carry a longer code below it, as in
`ProjectInvalid(code="project.unknown-key")`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a file or a request; a FreeholdError may carry many."""

    code: str
    what: str
    where: str = ""
    """`file:line`, or a field's path."""
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class FreeholdError(Exception):
    """What happened, why, and what to do next."""

    code: str = "freehold.error"
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        hint: str = "",
        code: str = "",
        faults: Sequence[Fault] = (),
    ) -> None:
        super().__init__(what)
        self.what, self.why, self.hint = what, why, hint
        self.faults = tuple(faults)
        if code:
            self.code = code

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.what}"]
        if self.why:
            lines.append(f"  because: {self.why}")
        for fault in self.faults:
            lines.append(f"  - [{fault.code}] {fault}")
            if fault.hint:
                lines.append(f"    hint: {fault.hint}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        """In one line, for whoever tells of it within another error."""
        why = f", {self.why}" if self.why else ""
        return f"{type(self).__name__}({self.code}: {self.what}{why})"

    def as_json(self) -> dict[str, Any]:
        """The same fields for machines: `{"error": {code, what, because, hint, faults}}`."""
        return {
            "error": {
                "code": self.code,
                "what": self.what,
                "because": self.why,
                "hint": self.hint,
                "faults": [
                    {"code": f.code, "what": f.what, "where": f.where, "hint": f.hint}
                    for f in self.faults
                ],
            }
        }


class Refused(FreeholdError):
    code = "refused"


class ProjectInvalid(Refused):
    code = "project.invalid"


class PipelineInvalid(Refused):
    code = "pipeline.invalid"


class ContractFailed(Refused):
    code = "contract.failed"


class PolicyDenied(Refused):
    code = "policy.denied"


class BudgetExceeded(Refused):
    code = "budget.exceeded"


class PlacementImpossible(Refused):
    code = "plan.impossible"


class NotFound(Refused):
    code = "not-found"


class Conflict(Refused):
    code = "conflict"


class RequestInvalid(Refused):
    code = "request.invalid"


class Failed(FreeholdError):
    code = "failed"


class StepFailed(Failed):
    code = "step.failed"


class IntegrityError(Failed):
    code = "integrity"


class StorageFailed(Failed):
    code = "storage.failed"


class AdapterFailed(Failed):
    code = "adapter.failed"


class AdapterMissing(AdapterFailed):
    code = "adapter.missing"


class NotSupported(AdapterFailed):
    code = "adapter.not-supported"


class WrongUsage(FreeholdError):
    code = "usage"
    exit_code = 2


class Unreachable(FreeholdError):
    code = "unreachable"
    exit_code = 3
