"""Sources as they are read, and all that can be seen to be wrong with them before the library."""

from collections import Counter
from collections.abc import Mapping, Sequence

from freehold.adapters.rego.checks import policy_faults, source_faults, test_faults
from freehold.adapters.rego.source import PolicySource, declared, package_faults
from freehold.domain.errors import Fault


def read(modules: Mapping[str, str]) -> list[PolicySource]:
    return [PolicySource.read(path, modules[path]) for path in sorted(modules)]


def faults_of(source: PolicySource) -> list[Fault]:
    faults = [*package_faults(source), *source_faults(source)]
    if source.is_test:
        faults += test_faults(source)
    else:
        said, unclear = declared(source)
        faults += unclear
        faults += policy_faults(source, said)
    return faults


def duplicates(sources: Sequence[PolicySource]) -> list[Fault]:
    count = Counter(source.name for source in sources)
    return [
        Fault("policy.duplicate", f"two files are named {source.name}", source.path)
        for source in sources
        if count[source.name] > 1
    ]
