"""Asks the project's policies about a version, records the verdict, and admits what they allow."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from freehold.app import adapters
from freehold.app.contract.gate import Check
from freehold.app.files import write_files
from freehold.app.policy.reading import engine, read_policies
from freehold.app.site.opening import Site
from freehold.catalog.package import admit, unpack
from freehold.catalog.versions import ModelVersion
from freehold.domain.canonical import canonical
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft
from freehold.domain.package import ADMISSION, EVIDENCE, SIGNATURE, Admission
from freehold.domain.verdict import Verdict
from freehold.governance.policy import ReleaseCase, policy_input

VERDICT = "verdict.json"


def judge(
    site: Site,
    version: ModelVersion,
    checks: Sequence[Check],
    cost: Mapping[str, Any] | None = None,
) -> Verdict:
    """Appends model.judged; with an admission if every policy allows the version.

    `cost`: as `freehold.governance.policy` has it.
    """
    policies = read_policies(site.project)
    case = ReleaseCase(
        model=version.model,
        version=version.version,
        package=version.package,
        evidence=json.loads(site.artifacts.get(version.attestations[EVIDENCE])),
        champion=version.champion,
        contracts_checked=len(checks),
        contracts_failed=sum(1 for check in checks if not check.passed),
        signature_valid=signature_holds(site, version),
        attachments=version.attestations,
        cost=cost,
    )
    verdict = engine().evaluate(policies.modules, policies.data, policy_input(case))
    attestations = {VERDICT: site.artifacts.put(canonical(verdict.as_json()))}
    if verdict.allowed:
        admission = Admission(version.model, version.version, version.package, verdict)
        attestations[ADMISSION] = site.artifacts.put(admit(admission, site.signer))
    body = {
        "model": version.model,
        "version": version.version,
        "allowed": verdict.allowed,
        "rules": [denial.rule for denial in verdict.denials],
        "policy": verdict.policy_digest,
        "attestations": attestations,
        "cost": None if cost is None else dict(cost),
    }
    causes = (version.registered, *(check.fact for check in checks))
    site.ledger.append([Draft("model.judged", body, cause=causes, actor=site.actor)])
    return verdict


def signature_holds(site: Site, version: ModelVersion) -> bool:
    """Whether the package's signature is good under this site's key."""
    if SIGNATURE not in version.attestations:
        return False
    with TemporaryDirectory(prefix="freehold-verify-") as folder:
        root, bundle = Path(folder) / "payload", Path(folder) / SIGNATURE
        write_files(root, unpack(site.artifacts.get(version.package)))
        bundle.write_bytes(site.artifacts.get(version.attestations[SIGNATURE]))
        public = Path(folder) / "site.pub"
        public.write_bytes(site.signer.public.pem)
        try:
            adapters.embedded("model_signing")().verify(root, public, bundle)
        except IntegrityError:
            return False
    return True
