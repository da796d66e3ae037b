"""Makes a model version of a run's candidate: evidence, package, attestations, verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from platform import python_version
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from freehold.app import adapters
from freehold.app.contract.gate import Check
from freehold.app.costs.meter import metered
from freehold.app.files import write_files
from freehold.app.model.candidate import TrainedModel, read_candidate
from freehold.app.model.judge import judge
from freehold.app.model.price import price_of
from freehold.app.model.scoring import PackagedModel
from freehold.app.model.tracking import track
from freehold.app.site.opening import Site
from freehold.catalog.lineage import lineage_of
from freehold.catalog.package import PackageContents, assemble, unpack
from freehold.catalog.versions import ModelVersion, next_version, version_of, version_of_run
from freehold.delivery.releases import aliases_of
from freehold.domain.canonical import canonical
from freehold.domain.errors import AdapterMissing, Conflict, IntegrityError, NotSupported
from freehold.domain.evidence import Evidence
from freehold.domain.fact import Draft, site_of
from freehold.domain.package import (
    BILL,
    CARD,
    CARD_PAGE,
    EVIDENCE,
    LINEAGE,
    SIGNATURE,
    PackedPayload,
)
from freehold.domain.projection import State
from freehold.domain.run import RunOutcome
from freehold.monitoring.profile import profile
from freehold.ports.bill_of_materials import BillSubject
from freehold.ports.model_converter import ModelConverter
from freehold.running.projection import run_row
from freehold.training.card import CardFacts, markdown
from freehold.training.evidence import evaluate
from freehold.training.page import page

EXPLAINED = 2000
"""Evaluation rows, evenly spaced, that the strongest features are told by."""

Stage = Callable[[str], None]


@dataclass(frozen=True)
class Registered:
    version: ModelVersion
    warnings: tuple[str, ...]
    """What went wrong and changes nothing: a tracker that failed, a model without ONNX."""


def register(
    site: Site, model: str, outcome: RunOutcome, checks: Sequence[Check], stage: Stage
) -> Registered:
    """Idempotent by run: what an interruption left undone is done, what was done is kept."""
    held = site.locks.take(f"register {model}")
    if held is None:
        raise Conflict(
            f"another process is registering a version of {model}",
            why="versions are numbered without gaps, one at a time",
            hint="`freehold run --resume` registers this one when it is through",
            code="model.busy",
        )
    try:
        warnings: list[str] = []
        version = version_of_run(site.state, outcome.run)
        if version is None:
            version, warnings = _make(site, model, outcome, stage)
            # Before the policies are asked: what training cost may be asked for.
            warnings += metered(site)
        if not version.judged:
            stage("policy")
            judge(site, version, checks, price_of(site, version, outcome.result))
    finally:
        held.release()
    return Registered(version_of(site.state, model, version.version), tuple(warnings))


def _make(
    site: Site, model: str, outcome: RunOutcome, stage: Stage
) -> tuple[ModelVersion, list[str]]:
    number = next_version(site.state, model, site.numbering)
    stage("evidence")
    trained = read_candidate(site, outcome.result)
    evidence, champion, warnings = _evidence(site, model, trained)
    stage("package")
    contents, more = _contents(trained)
    warnings += more
    payload = assemble(contents)
    files = _attestations(site, model, number, outcome, trained, evidence, contents, payload)
    names = {name: site.artifacts.put(data) for name, data in files.items()}
    stored = {names[name]: data for name, data in files.items()}
    package = site.artifacts.put(payload.data)
    stored[package] = payload.data
    headline = _headline(evidence)
    body = {
        "model": model,
        "version": number,
        "run": outcome.run,
        "package": {"digest": package, "size": len(payload.data)},
        "attestations": names,
        "headline": headline,
        "champion": champion,
        "rows": {"training": trained.training.height, "evaluation": trained.evaluation.height},
    }

    def decision(state: State) -> list[Draft]:
        if next_version(state, model, site.numbering) != number:
            raise Conflict(
                f"version {number} of {model} was made meanwhile",
                why="another process registered it first",
                hint="`freehold run --resume` registers this one under the next number",
                code="model.busy",
            )
        for digest, data in stored.items():
            # A collection that looked before this lock was taken may have let go of it.
            if not site.artifacts.holds(digest):
                site.artifacts.put(data)
        cause = (run_row(state, outcome.run)["fact"],)
        return [Draft("model.registered", body, cause=cause, actor=site.actor)]

    site.ledger.decide(decision)
    version = version_of(site.state, model, number)
    if site.project.spec.tracking is not None:
        stage("tracking")
    warnings += track(site, version, trained, evidence, files, unpack(payload.data))
    return version, warnings


def _evidence(
    site: Site, model: str, trained: TrainedModel
) -> tuple[Evidence, int | None, list[str]]:
    """Evidence beside the champion on the same rows, the champion's version, and warnings.

    A champion that another site made may not have come here: then nothing stands beside, and a
    policy that asks for the comparison says no.
    """
    champion = aliases_of(site.state, model).get("champion")
    reference, warnings = None, []
    if champion is not None:
        version = version_of(site.state, model, champion)
        try:
            reference = PackagedModel(site, version).scores(trained.evaluation)
        except IntegrityError as error:
            if error.code != "artifact.missing" or site.name == site_of(
                version.registered.rpartition("/")[0]
            ):
                raise
            warnings.append(f"not compared with {version.name}: its package is not at this site")
            champion = None
    evidence = evaluate(
        trained.scores,
        trained.labels,
        trained.evaluation.select(trained.candidate.groups),
        contributions=trained.contributions(EXPLAINED),
        columns=trained.columns.names,
        reference_scores=reference,
    )
    return evidence, champion, warnings


def _contents(trained: TrainedModel) -> tuple[PackageContents, list[str]]:
    warnings: list[str] = []
    onnx = None
    try:
        converter: ModelConverter = adapters.embedded("model_converter")()
        if converter.source == trained.framework.format:
            onnx = converter.convert(trained.data, len(trained.columns.names))
        else:
            warnings.append(f"no ONNX beside the model: it is a model of {trained.framework.name}")
    except (AdapterMissing, NotSupported) as error:
        warnings.append(f"no ONNX beside the model: {error.what}")
    known = pl.concat(
        [table.select(trained.columns.names) for table in (trained.training, trained.evaluation)]
    )
    contents = PackageContents(
        model=trained.data,
        flavor=trained.framework.flavor(trained.data),
        columns=trained.columns,
        profile=profile(known, scores=trained.scores_of(known)).as_json(),
        python=python_version(),
        onnx=onnx,
    )
    return contents, warnings


def _attestations(
    site: Site,
    model: str,
    number: int,
    outcome: RunOutcome,
    trained: TrainedModel,
    evidence: Evidence,
    contents: PackageContents,
    payload: PackedPayload,
) -> dict[str, bytes]:
    """Name → bytes of what lies beside the package."""
    row = run_row(site.state, outcome.run)
    facts = CardFacts(
        name=model,
        version=number,
        purpose=site.project.spec.models[model].purpose,
        data=_stated(row["parameters"]),
        training_rows=trained.training.height,
        parameters=trained.candidate.parameters,
        digest=payload.digest,
        author=site.actor,
        created=datetime.fromtimestamp(site.clock() / 1e6, UTC).isoformat(timespec="seconds"),
    )
    subject = BillSubject(model, number, payload.digest, contents.flavor.requirements)
    lineage = lineage_of(site.state, outcome.run, payload.digest)
    return {
        BILL: adapters.embedded("bill_of_materials")().bill(subject),
        CARD: markdown(facts, evidence).encode(),
        CARD_PAGE: page(facts, evidence).encode(),
        EVIDENCE: canonical(evidence.as_json()),
        LINEAGE: canonical(lineage),
        SIGNATURE: sign(site, payload),
    }


def _stated(parameters: Mapping[str, Any]) -> str:
    """Parameters that are no text: a card is kept for ever, and text may have to be erased."""
    plain = {n: v for n, v in parameters.items() if not isinstance(v, dict | list)}
    return ", ".join(f"{name} {value}" for name, value in plain.items())


def sign(site: Site, payload: PackedPayload) -> bytes:
    """An OpenSSF Model Signing bundle over the unpacked payload, verified once."""
    signing = adapters.embedded("model_signing")()
    with TemporaryDirectory(prefix="freehold-sign-") as folder:
        root, bundle = Path(folder) / "payload", Path(folder) / SIGNATURE
        write_files(root, unpack(payload.data))
        signing.sign(root, site.key_path, bundle)
        public = Path(folder) / "site.pub"
        public.write_bytes(site.signer.public.pem)
        signing.verify(root, public, bundle)
        return bundle.read_bytes()


def _headline(evidence: Evidence) -> dict[str, float]:
    """The figures that lists show."""
    overall = evidence.overall
    found = {
        "auc": overall.auc.value,
        "auc_low": overall.auc.low,
        "auc_high": overall.auc.high,
        "accuracy": overall.accuracy.value,
        "net_accuracy": overall.net_accuracy.value,
        "log_loss": overall.log_loss.value,
        "calibration_error": overall.calibration_error.value,
    }
    if evidence.champion is not None:
        found["auc_over_champion"] = evidence.champion.difference.value
    return {name: value for name, value in found.items() if value is not None}
