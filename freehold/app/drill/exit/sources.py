"""What the project's people wrote: code, policies, contracts."""

from collections.abc import Iterator
from pathlib import Path

from freehold.app.drill.exit.folder import ExitFolder
from freehold.app.project.loading import project_files
from freehold.app.site.opening import Site

CODE = (".py", ".yaml", ".yml")
CONTRACTS, POLICIES = "contracts", "policies"


def write_sources(site: Site, folder: ExitFolder) -> None:
    root, spec = site.project.root, site.project.spec
    for path in _code(root, folder.root):
        folder.put(f"code/{path.relative_to(root).as_posix()}", path.read_bytes())
    if spec.policies:
        policies = root / spec.policies
        for path in sorted(policies.rglob("*")):
            if path.suffix in (".rego", ".json"):
                name = path.relative_to(policies).as_posix()
                folder.put(f"{POLICIES}/{name}", path.read_bytes())
    for suite in sorted({contract.suite for contract in spec.contracts}):
        name = suite.removeprefix(f"{CONTRACTS}/")
        folder.put(f"{CONTRACTS}/{name}", (root / suite).read_bytes())


def _code(root: Path, leaving: Path) -> Iterator[Path]:
    """The project's Python and YAML, without what is being written, should that lie in it."""
    written = leaving.resolve()
    for path in project_files(root, CODE):
        if path.is_file() and not path.resolve().is_relative_to(written):
            yield path
