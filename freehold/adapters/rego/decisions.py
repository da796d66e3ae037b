"""From a policy's answer to denials; whatever is not proven is one."""

from collections.abc import Sequence
from typing import Any

from freehold.adapters.rego.library import Doubt
from freehold.adapters.rego.source import RULE_NAME, PolicySource
from freehold.domain.verdict import Denial


def decided(policy: PolicySource, rules: Sequence[str], answer: Any) -> list[Denial]:
    """Denials of `{cleared, deny}`: those told, and one for each rule that was not decided.

    Raises Doubt `engine/bad-answer` when the answer is of another shape.
    """
    if not isinstance(answer, dict) or set(answer) != {"cleared", "deny"}:
        raise Doubt("engine/bad-answer", "no `cleared` and `deny`")
    cleared, told = answer["cleared"], answer["deny"]
    if not isinstance(cleared, list) or not set(map(str, cleared)) <= set(rules):
        raise Doubt("engine/bad-answer", f"`cleared` may hold {', '.join(rules)} only")
    if not isinstance(told, list):
        raise Doubt("engine/bad-answer", "`deny` is not a set: `deny contains {...} if ...`")
    denials = [_denial(policy, one) for one in told]
    known = {denial.rule for denial in denials}
    for rule in rules:
        if rule not in cleared and f"{policy.name}/{rule}" not in known:
            message = f"{policy.path}: the rule {rule} came to no decision"
            denials.append(Denial("engine/not-evaluated", message))
    return sorted(denials, key=lambda one: (one.rule, one.message))


def _denial(policy: PolicySource, told: Any) -> Denial:
    if not isinstance(told, dict) or set(told) != {"rule", "message"}:
        raise Doubt("engine/bad-answer", 'a denial is {"rule": "...", "message": "..."}')
    rule, message = told["rule"], told["message"]
    if not isinstance(rule, str) or not RULE_NAME.fullmatch(rule) or not isinstance(message, str):
        raise Doubt("engine/bad-answer", f"the rule {rule!r:.60} or its message is no such text")
    return Denial(f"{policy.name}/{rule}", message)
