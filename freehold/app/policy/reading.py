"""Rego files and limits from the project's policy folder."""

from freehold.app import adapters
from freehold.app.project.reading import OpenProject
from freehold.domain.errors import Fault, ProjectInvalid
from freehold.governance.policy_set import PolicySet, policy_set
from freehold.ports.policy_engine import PolicyEngine


def engine() -> PolicyEngine:
    made: PolicyEngine = adapters.embedded("policy_engine")()
    return made


def read_policies(project: OpenProject) -> PolicySet:
    """Those that are asked about versions. Empty if the project names no folder. Raises
    ProjectInvalid with the faults of all files."""
    return read_policy_folder(project, project.spec.policies)


def read_policy_folder(project: OpenProject, named: str) -> PolicySet:
    """Empty if no folder is named. Raises ProjectInvalid with the faults of all files."""
    if not named:
        return PolicySet({}, {})
    folder = project.root / named
    texts: dict[str, str] = {}
    faults: list[Fault] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".rego", ".json"):
            continue
        name, data = path.relative_to(project.root).as_posix(), path.read_bytes()
        try:
            texts[name] = data.decode("utf-8")
        except UnicodeDecodeError as exc:
            line = 1 + data.count(b"\n", 0, exc.start)
            what = f"this is not UTF-8 text: {exc.reason}"
            faults.append(Fault("policy.syntax", what, f"{name}:{line}", "save it as UTF-8"))
    found = policy_set(texts)
    faults += [*found.faults, *engine().check(found.modules)]
    if faults:
        raise ProjectInvalid(
            f"{len(faults)} faults in {named}/",
            faults=faults,
            hint="mend them and run `freehold check` again",
            code="policy.invalid",
        )
    return found
