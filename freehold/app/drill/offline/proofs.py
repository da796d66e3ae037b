"""What an offline drill proves. Each raises Failed `drill.failed` with what did not hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freehold.app.drill.offline.crew import Crew
from freehold.domain.errors import Failed

Answers = Mapping[str, Mapping[str, Any]]
"""By site."""


@dataclass(frozen=True)
class Head:
    """The end of a writer's log when its site said that what it holds is durable."""

    writer: str
    size: int
    root: str

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Head":
        return cls(said["writer"], said["size"], said["root"])


def failed(what: str, why: str = "", hint: str = "") -> Failed:
    hint = hint or "nothing of production was touched; keep the twins with --keep and look at them"
    return Failed(f"the drill failed: {what}", why=why, hint=hint, code="drill.failed")


def require_reach(probed: Answers) -> int:
    """That every store answered before the cut, or that it is silent later proves nothing."""
    mute = [
        f"{site} does not reach the store of {store}: {why}"
        for site, said in probed.items()
        for store, why in said["stores"].items()
        if why
    ]
    if mute:
        hint = "`freehold doctor` looks at the stores; drill when all of them answer"
        raise failed("a store was out of reach before anything was cut", "; ".join(mute), hint)
    return sum(len(said["stores"]) for said in probed.values())


def require_cut(cut: str, probed: Answers) -> list[str]:
    """That the cut site reaches no store, and no other site reaches its store. Returns what each
    probe met, in words."""
    open_ways, met = [], []
    for site, said in probed.items():
        for store, why in said["stores"].items():
            if site != cut and store != cut:
                continue
            met.append(f"{site} → store of {store}: {why}")
            if not why:
                open_ways.append(f"{site} still reaches the store of {store}")
    if open_ways:
        raise failed(
            f"{cut} is not cut off",
            "; ".join(open_ways),
            "what does not heed the proxies' environment variables needs places with a network of"
            " their own",
        )
    if not met:
        raise failed(f"{cut} reached no store to be cut off from")
    return met


def require_apart(cut: str, before: Answers, after: Answers) -> None:
    """That during the cut neither side learned anything of the other, and both went on."""
    for site, said in after.items():
        for writer, (size, *_) in said["logs"].items():
            held = before[site]["logs"].get(writer, [0])[0]
            own = writer == said["writer"]
            across = (site == cut) != (writer == after[cut]["writer"])
            if across and size > held:
                raise failed(f"{site} learned {size - held} entries of {writer} during the cut")
            if own and site == cut and size <= held:
                raise failed(f"{site} recorded nothing while it was cut off")


def require_same_processes(crew: Crew) -> None:
    for site in crew.sites:
        one = crew[site]
        if len(one.pids) != 1 or not one.alive:
            raise failed(f"the process of {site} did not live through the drill")
        if len(one.endpoints) > 1:
            raise failed(f"the endpoint of {site} was not the same all the time")


def require_one_history(said: Answers) -> None:
    """That all twins hold the same logs, folded to the end, and the same state."""
    sites = list(said)
    for site in sites[1:]:
        if said[site]["logs"] != said[sites[0]]["logs"]:
            raise failed(f"{site} and {sites[0]} do not hold the same logs")
        if said[site]["state"] != said[sites[0]]["state"]:
            raise failed(f"{site} and {sites[0]} folded the same logs to different states")
    for writer, (size, _, folded) in said[sites[0]]["logs"].items():
        if folded != size:
            raise failed(f"{size - folded} entries of {writer} wait for what is not there")


def require_kept(crew: Crew, heads: Sequence[Head]) -> int:
    """That every entry which any site called durable is held by all, byte by byte, in its place."""
    asked = [[one.writer, one.size] for one in heads]
    for site, said in crew.ask("prefix", heads=asked).items():
        for one, root in zip(heads, said["roots"], strict=True):
            if root != one.root:
                what = f"{site} does not hold the first {one.size} entries of {one.writer}"
                raise failed(what, "they were acknowledged by their site")
    return sum({one.writer: one.size for one in heads}.values())


def require_verified(audited: Answers) -> int:
    """Logs that hold, at all sites together."""
    for site, said in audited.items():
        if not said["holds"]:
            raise failed(f"a log does not verify at {site}", "; ".join(said["faults"]))
    return sum(said["logs"] for said in audited.values())


def require_hours(hours: float, cut: str, times: Sequence[int]) -> float:
    """Hours between the first and the last entry of the cut site's own log during the cut."""
    told = (times[-1] - times[0]) / 3_600_000_000 if times else 0.0
    if told < 0.8 * hours:
        raise failed(f"the entries of {cut} span {told:.1f} hours and not {hours:g}")
    return told


def require_conflict(
    model: str, sides: Iterable[str], known: set[str], told: Answers
) -> dict[str, Any]:
    """The one conflict that the drill made: both sides moved the champion."""
    new = {
        site: [one for one in said["open"] if one["conflict"] not in known]
        for site, said in told.items()
    }
    wanted = sorted(sides)
    for site, found in new.items():
        if len(found) != 1 or found[0]["about"] != f"{model}/champion":
            about = ", ".join(one["about"] for one in found) or "none"
            raise failed(f"{site} shows {len(found)} new conflicts, not one", f"they are: {about}")
        named = sorted(side["site"] for side in found[0]["sides"])
        if named != wanted:
            raise failed(f"the conflict names {', '.join(named)}, not {', '.join(wanted)}")
        if found[0]["holds"] not in {side["value"] for side in found[0]["sides"]}:
            raise failed("what holds is neither of the two sides' promotions")
    first, *others = new.values()
    if any(one != first for one in others):
        raise failed("the sites do not show the same conflict")
    return dict(first[0])
