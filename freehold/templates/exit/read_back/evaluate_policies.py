"""Ask the policies again, and compare with the history: python evaluate_policies.py FOLDER

Each policy is `package freehold.NAME` with `rules`, `cleared` and `deny`: it allows when it denies
nothing and cleared every rule. With OPA itself:

    opa eval --data policies --input models/MODEL/VERSION/question.json data.freehold
"""

import json
import sys
from importlib.metadata import version as installed
from pathlib import Path

from regopy import Interpreter, LogLevel, RegoError


def limits_module(folder):
    """`limits.json` as a module: numbers with an exponent are lost on the library's other way."""
    path = folder / "policies" / "limits.json"
    if not path.exists():
        return "package limits\n"
    limits = json.loads(path.read_bytes())["limits"]
    return "package limits\n" + "".join(f"\n{k} := {json.dumps(v)}\n" for k, v in limits.items())


def ask(path, limits, question):
    """`{cleared, deny, rules}` of one policy, by an interpreter of its own, or None."""
    package = f"data.freehold.{path.stem}"
    interpreter = Interpreter()
    interpreter.log_level = LogLevel.NONE
    interpreter.strict_built_in_errors = True
    try:
        interpreter.add_module(path.name, path.read_text(encoding="utf-8"))
        interpreter.add_module("limits", limits)
        interpreter.set_input_term(question)
        output = interpreter.query(
            f'answer := {{"cleared": {package}.cleared, "deny": {package}.deny,'
            f' "rules": {package}.rules}}'
        )
    except (RegoError, ValueError):
        return None
    if not output.ok() or str(output) == "undefined":
        return None
    said = json.loads(str(output))
    return said["bindings"]["answer"] if said.get("expressions") == [True] else None


def denials(folder, question):
    """By policy, the rules that deny; a rule that was not decided denies as well."""
    limits = limits_module(folder)
    found = {}
    for path in sorted((folder / "policies").rglob("*.rego")):
        if path.stem.endswith("_test"):
            continue
        answer = ask(path, limits, question)
        if answer is None or not answer["rules"]:
            found[path.stem] = {f"{path.stem}/undecided"}
            continue
        denied = {one["rule"] for one in answer["deny"]}
        denied |= set(answer["rules"]) - set(answer["cleared"])
        found[path.stem] = {f"{path.stem}/{rule}" for rule in denied}
    return found


def differs(verdict, found):
    """What the history says otherwise, or nothing. A policy that found its question incomplete
    stands in the history as `NAME/missing-input`, or by a rule that begins with `engine/`; here it
    has to deny by any rule."""
    allowed = bool(found) and not any(found.values())
    if (allowed is True) != (verdict["allowed"] is True):
        return f"here it is {'allowed' if allowed else 'denied'}, in the history it is not"
    told = set(verdict["rules"])
    if any(rule.startswith("engine/") for rule in told):
        return ""
    for name, rules in found.items():
        if f"{name}/missing-input" in told:
            if not rules:
                return f"{name} allows what its missing input denied"
        elif rules != {rule for rule in told if rule.partition("/")[0] == name}:
            return f"{name} denies by {sorted(rules)}, which the history does not say"
    return ""


def read(folder):
    faults, not_proven, same, allowed = [], [], 0, 0
    verdicts = json.loads((folder / "models" / "verdicts.json").read_bytes())
    for verdict in verdicts:
        if not verdict["comparable"]:
            not_proven.append(
                f"{verdict['version']}: judged by policies that the project no longer has"
                f" ({verdict['policy'][:19]}); bring them back from version control"
            )
            continue
        question = (folder / verdict["question"]).read_text(encoding="utf-8")
        wrong = differs(verdict, denials(folder, question))
        if wrong:
            faults.append(f"{verdict['version']}: {wrong}")
            continue
        same += 1
        allowed += verdict["allowed"] is True
    policies = [
        path for path in (folder / "policies").rglob("*.rego") if not path.stem.endswith("_test")
    ]
    return {
        "read_by": [f"regopy {installed('regopy')}"],
        "checks": len(policies),
        "figures": f"{len(policies):,} policies, {same:,} of {len(verdicts):,} verdicts"
        f" as in the history ({allowed:,} allowed)",
        "faults": faults,
        "not_proven": not_proven,
    }


if __name__ == "__main__":
    report = read(Path(sys.argv[1]))
    print(json.dumps(report))
    sys.exit(bool(report["faults"]))
