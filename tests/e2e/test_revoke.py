"""`freehold revoke`: a version leaves traffic for good, whatever is left to serve."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.adapters.onnx.runtime import OnnxRuntime
from freehold.adapters.signing.model_signing import OpenSSFModelSigning
from freehold.app.files import write_files
from freehold.app.release.release import plan_release, release
from freehold.app.release.revoking import revoke
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import PROJECTIONS, Site, open_site
from freehold.catalog.package import admit, pack, unpack
from freehold.catalog.versions import version_of
from freehold.delivery.decision import Complete, Promote, Rollback
from freehold.delivery.releases import Venue, conclude, running_release, start
from freehold.domain.artifact import object_key
from freehold.domain.errors import FreeholdError, IntegrityError
from freehold.domain.fact import Draft
from freehold.domain.package import Admission
from freehold.domain.project import ReleaseSpec
from freehold.domain.verdict import Verdict
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.endpoint.loading import LoadedTable, Loader
from freehold.ports.contracts.kept_logs import copy_all
from freehold.ports.contracts.signer import TransientSigner


def ask(url: str) -> tuple[int, dict[str, Any]]:
    rows = [{"distance": 1.0, "carrier": "AA"}]
    inputs = [
        {"name": "distance", "datatype": "FP64", "shape": [1], "data": [rows[0]["distance"]]},
        {"name": "carrier", "datatype": "BYTES", "shape": [1], "data": [rows[0]["carrier"]]},
    ]
    request = urllib.request.Request(
        f"{url}/v2/models/delay/infer",
        json.dumps({"inputs": inputs}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def until(url: str, status: int) -> dict[str, Any]:
    for _ in range(100):
        found, answer = ask(url)
        if found == status:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"still {found}: {answer}")


def test_the_endpoint_goes_back_or_stops_answering(serving: Any) -> None:
    assert serving.freehold("release", "delay@2", "--strategy", "immediate", "--yes").code == 0
    endpoint = EndpointProcess.start(serving.folder / ".freehold" / "serving")
    try:
        assert until(endpoint.url, 200)["model_version"] == "2"
        done = serving.freehold("revoke", "delay@2", "--yes")
        assert done.code == 0
        assert "delay@1 is the champion" in done.out
        for _ in range(100):
            if until(endpoint.url, 200)["model_version"] == "1":
                break
            time.sleep(0.1)
        assert until(endpoint.url, 200)["model_version"] == "1"
        assert serving.freehold("revoke", "delay@1", "--yes").code == 0
        assert until(endpoint.url, 503)["code"] == "endpoint.withdrawn"
        refusal = serving.freehold("release", "delay@1", "--yes", "--json")
        assert (refusal.code, refusal.json["error"]["code"]) == (1, "policy.denied")
    finally:
        endpoint.stop()


def test_it_is_revoked_once(serving: Any, refused: Any) -> None:
    serving.freehold("revoke", "delay@1", "--yes")
    assert refused("revoke", "delay@1", "--yes")["code"] == "release.revoked"
    assert refused("revoke", "delay@7", "--yes")["code"] == "model.not-found"


Shares = list[tuple[int, float]]


class Endpoint:
    """What a running endpoint has in force, loaded as it loads."""

    def __init__(self, site: Site) -> None:
        runtime, signing = OnnxRuntime(), OpenSSFModelSigning()
        self._loader = Loader(site.serving, site.signer.public, runtime, signing)
        self._loaded: LoadedTable | None = None

    def look(self) -> Shares:
        """Raises FreeholdError where the endpoint refuses what is published."""
        self._loaded = self._loader.load(self._loaded)
        return [(one.version, one.weight) for one in self._loaded.table.variants]

    @property
    def number(self) -> int:
        assert self._loaded is not None
        return self._loaded.table.version

    def refused(self) -> str:
        with pytest.raises(FreeholdError) as caught:
            self.look()
        return caught.value.code


@pytest.fixture
def site(serving: Any) -> Iterator[Site]:
    with open_site(serving.folder) as opened:
        yield opened


def canary(site: Site, version: int, *steps: int) -> None:
    venue = Venue(site.name, (site.name,), site.numbering)
    settings = ReleaseSpec(steps=steps) if steps else ReleaseSpec()
    site.ledger.decide(lambda s: start(s, "delay", version, "canary", settings, venue))
    for step in steps[1:]:
        move(site.ledger, Promote(step))


def move(ledger: Any, decision: Promote | Complete | Rollback) -> None:
    def concluded(state: Any) -> Any:
        running = running_release(state, "delay")
        assert running is not None
        return conclude(state, running, decision, 10)

    ledger.decide(concluded)


def put_version(site: Site, version: int, *, like: int, note: bytes = b"") -> None:
    """In the history, with the package of another one, or that and a note."""
    other = version_of(site.state, "delay", like)
    files = unpack(site.artifacts.get(other.package))
    payload = pack({**files, "note.txt": note} if note else files)
    with TemporaryDirectory() as folder:
        write_files(Path(folder) / "payload", unpack(payload.data))
        signature = Path(folder) / "model.sig"
        OpenSSFModelSigning().sign(Path(folder) / "payload", site.key_path, signature)
        signed = site.artifacts.put(signature.read_bytes())
    verdict = Verdict(True, (), ("named/no-name",), "sha256:0")
    admission = admit(Admission("delay", version, payload.digest, verdict), site.signer)
    about = {"model": "delay", "version": version}
    registered = {
        **about,
        "run": f"run-{version}",
        "package": {"digest": site.artifacts.put(payload.data), "size": len(payload.data)},
        "attestations": {"model.sig": signed},
        "headline": {},
        "champion": None,
        "rows": {"training": 1, "evaluation": 1},
    }
    judged = {
        **about,
        "allowed": True,
        "rules": [],
        "policy": "sha256:0",
        "attestations": {"admission.json": site.artifacts.put(admission)},
    }
    site.ledger.append([Draft("model.registered", registered)])
    site.ledger.append([Draft("model.judged", judged)])


def test_a_champion_that_is_revoked_under_a_canary_leaves_the_endpoint(site: Site) -> None:
    canary(site, 2, 5, 25, 100)
    publish(site, "delay")
    endpoint = Endpoint(site)
    assert endpoint.look() == [(1, 0.0), (2, 100.0)]
    before = endpoint.number
    revoke(site, version_of(site.state, "delay", 1))
    assert endpoint.look() == [(2, 100.0)]
    assert endpoint.number > before


def test_a_rollback_that_is_merged_reaches_the_endpoint(site: Site) -> None:
    """The other site rolls back what here has advanced meanwhile."""
    canary(site, 2)
    clock = count(time.time_ns() // 1000, 1000).__next__
    other = MemoryLedger(
        writer="other-00000000", signer=TransientSigner(), clock=clock, projections=PROJECTIONS
    )
    copy_all(site.ledger, other)
    move(other, Rollback("person", 0.0, 0.0))
    move(site.ledger, Promote(25))
    move(site.ledger, Promote(100))
    publish(site, "delay")
    endpoint = Endpoint(site)
    assert endpoint.look() == [(1, 0.0), (2, 100.0)]
    before = endpoint.number
    copy_all(other, site.ledger)
    publish(site, "delay")
    assert endpoint.look() == [(1, 100.0)]
    assert endpoint.number > before


def test_a_table_after_a_withdrawal_has_a_greater_number(site: Site) -> None:
    canary(site, 2, 1, 2, 5, 10, 25, 50, 100)
    publish(site, "delay")
    endpoint = Endpoint(site)
    endpoint.look()
    before = endpoint.number
    revoke(site, version_of(site.state, "delay", 1))
    revoke(site, version_of(site.state, "delay", 2))
    assert endpoint.refused() == "endpoint.withdrawn"
    withdrawn = json.loads((site.serving / "routing.json").read_bytes())["version"]
    put_version(site, 3, like=1)
    release(site, plan_release(site, "delay@3"))
    assert endpoint.look() == [(3, 100.0)]
    assert endpoint.number > withdrawn > before


def test_what_only_changes_the_number_leaves_the_document(site: Site) -> None:
    release(site, plan_release(site, "delay@2", "immediate"))
    before = (site.serving / "routing.json").read_bytes()
    revoke(site, version_of(site.state, "delay", 1))
    assert (site.serving / "routing.json").read_bytes() == before


def lose_package(site: Site, version: int) -> None:
    site.objects.delete(object_key(version_of(site.state, "delay", version).package))


def test_a_revoked_version_leaves_though_the_one_before_it_is_not_here(site: Site) -> None:
    release(site, plan_release(site, "delay@2", "immediate"))
    endpoint = Endpoint(site)
    assert endpoint.look() == [(2, 100.0)]
    lose_package(site, 1)
    with pytest.raises(IntegrityError) as caught:
        revoke(site, version_of(site.state, "delay", 2))
    assert caught.value.code == "artifact.missing"
    assert endpoint.refused() == "endpoint.withdrawn"


def test_an_earlier_version_that_is_here_serves_instead(site: Site) -> None:
    put_version(site, 3, like=2, note=b"third")
    release(site, plan_release(site, "delay@2", "immediate"))
    release(site, plan_release(site, "delay@3", "immediate"))
    endpoint = Endpoint(site)
    assert endpoint.look() == [(3, 100.0)]
    kept = site.artifacts.get(version_of(site.state, "delay", 2).package)
    lose_package(site, 2)
    with pytest.raises(IntegrityError) as caught:
        revoke(site, version_of(site.state, "delay", 3))
    assert caught.value.code == "artifact.missing"
    assert endpoint.look() == [(1, 100.0)]
    before = (site.serving / "routing.json").read_bytes()
    with pytest.raises(IntegrityError):
        publish(site, "delay")
    assert (site.serving / "routing.json").read_bytes() == before
    site.artifacts.put(kept)
    publish(site, "delay")
    assert endpoint.look() == [(2, 100.0)]


def test_a_package_that_is_not_here_leaves_what_may_go_on(site: Site) -> None:
    endpoint = Endpoint(site)
    assert endpoint.look() == [(1, 100.0)]
    lose_package(site, 2)
    canary(site, 2)
    with pytest.raises(IntegrityError):
        publish(site, "delay")
    assert endpoint.look() == [(1, 100.0)]


def test_versions_of_one_package_take_over_at_once(site: Site) -> None:
    """One folder and one admission: they cannot stand side by side."""
    put_version(site, 3, like=1)
    endpoint = Endpoint(site)
    assert endpoint.look() == [(1, 100.0)]
    plan = plan_release(site, "delay@3", "canary")
    assert (plan.strategy, plan.steps) == ("immediate", (100,))
    assert release(site, plan).status == "completed"
    assert endpoint.look() == [(3, 100.0)]
    revoke(site, version_of(site.state, "delay", 3))
    assert endpoint.look() == [(1, 100.0)]


def test_a_canary_beside_its_own_package_does_not_hang(site: Site) -> None:
    """As a merge may leave it, which plans nothing."""
    put_version(site, 3, like=1)
    canary(site, 3)
    publish(site, "delay")
    assert Endpoint(site).look() == [(3, 100.0)]
