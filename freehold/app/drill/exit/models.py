"""Model versions: the package unpacked, and beside it everything that was attested about it.

`models/index.json` lists them with the tables that may be what they were evaluated on, and with
the question that the policies were asked; `models/verdicts.json` says what they answered.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from freehold.app import adapters
from freehold.app.audit.export import PUBLIC_KEY
from freehold.app.drill.exit.folder import ExitFolder
from freehold.app.drill.exit.history import key_path
from freehold.app.drill.exit.logs import all_facts, is_own, key_of
from freehold.app.drill.exit.tables import stored
from freehold.app.policy.reading import engine, read_policies
from freehold.app.site.opening import Site
from freehold.catalog.package import unpack
from freehold.catalog.versions import ModelVersion, versions_of
from freehold.domain.errors import IntegrityError, ProjectInvalid
from freehold.domain.fact import Fact
from freehold.domain.package import EVIDENCE, SIGNATURE
from freehold.governance.policy import ReleaseCase, policy_input

INDEX = "models/index.json"
VERDICTS = "models/verdicts.json"
PACKAGE, PAYLOAD, QUESTION = "package.zip", "payload", "question.json"

Tables = dict[str, dict[str, Any]]


def write_models(site: Site, folder: ExitFolder, tables: Tables) -> None:
    """`tables`: entries of those that were written, by digest."""
    facts = {
        fact.name: fact
        for fact in all_facts(site, "model.registered", "model.judged", "contract.checked")
    }
    policies = _policies_now(site, folder)
    index, verdicts = [], []
    for version in versions_of(site.state):
        entry = _write_version(site, folder, version)
        if entry is None:
            continue
        registered = facts[version.registered]
        entry["rows"] = registered.body["rows"]
        entry["tables"] = _evaluated_on(registered, tables)
        index.append(entry)
        judged = _judged(registered, facts)
        if judged is not None:
            question = f"{entry['folder']}/{QUESTION}"
            signed = _is_signed(site, folder.root / entry["folder"], registered.writer)
            folder.put_json(question, policy_input(_case(site, version, judged, facts, signed)))
            verdicts.append(_verdict(version, judged, question, policies))
    folder.put_json(INDEX, index)
    folder.put_json(VERDICTS, verdicts)


def _write_version(site: Site, folder: ExitFolder, version: ModelVersion) -> dict[str, Any] | None:
    writer = version.registered.rpartition("/")[0]
    own = is_own(site, writer)
    data = stored(site, folder, version.package, own, f"package of {version.name}")
    if data is None:
        return None
    place = f"models/{version.model}/{version.version}"
    try:
        files = unpack(data, version.package)
    except IntegrityError as error:
        folder.faults.append(f"package of {version.name}: {error.what}")
        return None
    folder.put(f"{place}/{PACKAGE}", data)
    for name, content in files.items():
        folder.put(f"{place}/{PAYLOAD}/{name}", content)
    beside = []
    for name, digest in sorted(version.attestations.items()):
        content_beside = stored(site, folder, digest, own, f"{name} of {version.name}", "")
        if content_beside is not None:
            folder.put(f"{place}/{name}", content_beside)
            beside.append(name)
    return {
        "version": version.name,
        "folder": place,
        "package": version.package,
        "beside": beside,
        "key": key_path(writer),
        "run": version.run,
    }


def _is_signed(site: Site, place: Path, writer: str) -> bool:
    """By the key of whoever registered it, which may not be this site's key of today."""
    key = key_of(site, writer)
    if key is None or not (place / SIGNATURE).exists():
        return False
    with TemporaryDirectory(prefix="freehold-exit-") as aside:
        public = Path(aside) / PUBLIC_KEY
        public.write_bytes(key.pem)
        try:
            adapters.embedded("model_signing")().verify(place / PAYLOAD, public, place / SIGNATURE)
        except IntegrityError:
            return False
    return True


def _evaluated_on(registered: Fact, tables: Tables) -> list[str]:
    """Tables of the version's run with as many rows as it was evaluated on. Which of them it was,
    its evidence says: whoever reads them back finds the figures in one."""
    run, rows = registered.body["run"], registered.body["rows"]["evaluation"]
    return [
        entry["path"]
        for entry in tables.values()
        if entry["rows"] == rows and any(one.get("run") == run for one in entry["made"])
    ]


def _policies_now(site: Site, folder: ExitFolder) -> str:
    """Digest of the policies that are exported; empty if there are none that can be asked."""
    try:
        policies = read_policies(site.project)
    except ProjectInvalid as error:
        folder.faults.append(f"policies: {error.what}; `freehold check` lists them")
        return ""
    if not policies.modules:
        return ""
    return engine().evaluate(policies.modules, policies.data, {}).policy_digest


def _judged(registered: Fact, facts: dict[str, Fact]) -> Fact | None:
    """The latest verdict on a version, if it was judged."""
    verdicts = [fact for fact in facts.values() if fact.type == "model.judged"]
    return next((one for one in reversed(verdicts) if registered.name in one.cause), None)


def _case(
    site: Site, version: ModelVersion, judged: Fact, facts: dict[str, Fact], signed: bool
) -> ReleaseCase:
    """What the policies were asked about, put together again from what the verdict followed."""
    registered = facts[version.registered]
    checks = [facts[name] for name in judged.cause if name in facts and name != registered.name]
    evidence = registered.body["attestations"].get(EVIDENCE)
    return ReleaseCase(
        model=version.model,
        version=version.version,
        package=version.package,
        evidence=json.loads(site.artifacts.get(evidence)) if evidence else None,
        champion=version.champion,
        contracts_checked=len(checks),
        contracts_failed=sum(1 for check in checks if not check.body["passed"]),
        signature_valid=signed,
        attachments=registered.body["attestations"],
        cost=judged.body.get("cost"),
    )


def _verdict(version: ModelVersion, judged: Fact, question: str, policies: str) -> dict[str, Any]:
    """As the history has it. `comparable`: by the policies that are exported."""
    return {
        "version": version.name,
        "question": question,
        "allowed": judged.body["allowed"],
        "rules": judged.body["rules"],
        "policy": judged.body["policy"],
        "comparable": judged.body["policy"] == policies,
    }
