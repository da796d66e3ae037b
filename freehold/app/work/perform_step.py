"""Does one attempt of a step that another site asked for: here are the hands, the run is there."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Event, Thread
from typing import Any

from freehold.app.costs.tariff import machine_here
from freehold.app.project.loading import make_importable, module_sources
from freehold.app.run.world import environment_digest, surroundings
from freehold.app.site.copying import lend
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.app.site.ways import no_way
from freehold.app.work.claim import Claimed
from freehold.app.work.perform import LATER, Performed, Tell, record_end
from freehold.authoring.loading import find_step
from freehold.domain.artifact import Artifact
from freehold.domain.errors import FreeholdError, StorageFailed, Unreachable
from freehold.domain.run import Failure, Result
from freehold.replication.work import AskedStep, Completion
from freehold.running.cache_key import digest_of_environment
from freehold.running.checkpoints import noted, record_notes, starting_point
from freehold.running.code import Code
from freehold.running.work import StepTask, Workplace

NOTES_POLL = 0.2
"""Seconds between two looks at what the step has saved."""


def perform_step(
    site: Site,
    claimed: Claimed,
    step: AskedStep,
    *,
    around: AbstractContextManager[object] | None = None,
    meet: Callable[[], None] = lambda: None,
    tell: Tell = lambda _: None,
) -> Performed:
    """By the step contract, in a process of its own, so that it ends when the agent is stopped.

    `around` and `meet` as in `perform`; `meet` also after each checkpoint, so that others have it
    when this machine is gone. What is wrong with the step, or forbidden, completes the work as
    failed. Raises StorageFailed and Unreachable: the lease stays, and the next turn goes on.
    """
    try:
        with around or nullcontext():
            result = _result(site, claimed, step, meet)
    except FreeholdError as error:
        if isinstance(error, StorageFailed | Unreachable) or error.code in LATER:
            raise
        tell(str(error))
        result = Result(failure=Failure(error.code, error.what))
    for warning in result.warnings:
        tell(warning)
    meet()
    return record_end(site, claimed, _completion(site, claimed, step, result))


def _result(site: Site, claimed: Claimed, step: AskedStep, meet: Callable[[], None]) -> Result:
    manifest = json.loads(site.attachments.get(claimed.work.parameters_attachment))
    if failure := _refusal(site, step, manifest):
        return Result(failure=failure)
    made = _made_before(site, step, manifest)
    if made is not None:
        return Result(made, cached=True)
    if manifest.get("resumes") is not None:
        record_notes(site.ledger, site.objects, site.actor)
        about = {"key": step.key, "run": step.run, "step": step.step}
        start = starting_point(about, site.artifacts, site.state)
        manifest["resumes"] = {**manifest["resumes"], **start}
    with surroundings(site) as world, _recording(site, manifest, meet):
        place = Workplace(world.objects, world.codecs, world.clock, world.workspace, find_step)
        task = StepTask(step.step, manifest["world"]["timeout"], manifest, place)
        engine = world.processes or world.engine
        return engine.submit(task).result()


def _refusal(site: Site, step: AskedStep, manifest: Mapping[str, Any]) -> Failure | None:
    """A rule of this checkout's, or another world than the one that the cache key speaks of."""
    labelled, sites = Labelled(site.state), site.project.spec.sites
    for digest in step.inputs:
        if rule := labelled.rule(digest, sites[site.name]):
            return Failure("label.barred", f"{site.name}: {rule}")
    if rule := no_way(step.labels, [site.name], site.name, sites):
        return Failure("label.barred", rule)
    make_importable(site.project.root)
    module = str(manifest["function"]).partition(":")[0]
    code = Code(module_sources(site.project.root)).digest(module)
    asked = manifest["world"]
    if code != asked["code"]:
        told = "the step's code there is not the code here: both must have the same commit"
        return Failure("step.code-differs", told)
    if digest_of_environment(environment_digest(site.project.root)) != asked["environment"]:
        told = "what is installed there is not what is installed here: lock the requirements"
        return Failure("step.environment-differs", told)
    return None


def _made_before(
    site: Site, step: AskedStep, manifest: Mapping[str, Any]
) -> tuple[Artifact, ...] | None:
    """What this site has made under the same key, if every byte verifies."""
    row = site.state.get("cache", step.key) if manifest["world"]["cacheable"] else None
    if row is None or not all(site.artifacts.holds(one["digest"]) for one in row["outputs"]):
        return None
    return tuple(
        Artifact(one["digest"], one["format"], one["size"], manifest["labels"])
        for one in row["outputs"]
    )


def _completion(site: Site, claimed: Claimed, step: AskedStep, result: Result) -> Completion:
    failure = result.failure
    return Completion(
        fact="",
        writer="",
        fence=0,
        run=step.run,
        status="finished" if failure is None else "failed",
        version=None,
        code="" if failure is None else failure.code,
        outputs=result.outputs,
        # What it runs on is known here; the plan's word stands where that is not said.
        machine=machine_here(site.project.spec.sites[site.name]) or step.place.machine,
        microseconds=result.microseconds,
        cached=result.cached,
        failure="" if failure is None else _told(site, claimed, step, failure),
    )


def _told(site: Site, claimed: Claimed, step: AskedStep, failure: Failure) -> str:
    """A traceback may show what the step read: it goes where that may go."""
    asking, sites = claimed.work.asked_by, site.project.spec.sites
    if asking not in sites or no_way(step.labels, [site.name], asking, sites):
        return ""
    return site.attachments.put(json.dumps(failure.as_json()).encode())


@contextmanager
def _recording(site: Site, manifest: Mapping[str, Any], meet: Callable[[], None]) -> Iterator[None]:
    """Each checkpoint becomes a fact as soon as it is seen, and goes to the others."""
    if manifest.get("resumes") is None:
        yield
        return
    ended = Event()

    def keep() -> None:
        while not ended.wait(NOTES_POLL):
            record()

    def record() -> None:
        try:
            found = noted(site.objects).values()
            if found:
                # First the bytes, then the fact: whoever hears of it can have it.
                lend(site, [one["artifact"] for one in found], manifest["resumes"]["labels"])
                record_notes(site.ledger, site.objects, site.actor)
                meet()
        except (StorageFailed, Unreachable):
            return  # the notes are still there

    thread = Thread(target=keep, name="checkpoints", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        record()
