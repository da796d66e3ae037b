"""Three sites that release one model among themselves."""

from pathlib import Path
from typing import Any

from freehold.app.release.release import plan_release, release
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import open_site
from freehold.app.site.trusting import trust
from freehold.domain.fact import Draft

FEWEST = 300
NAMES = ("onprem", "aws", "azure")
ORDER = ("aws", "azure", "onprem")
MINUTE = 60
OLD, NEW = {1: 100.0}, {1: 0.0, 2: 100.0}


def made(version: int) -> list[Draft]:
    """The run of a version: without one, nobody knows whether its package may travel."""
    run = f"run-{version}"
    started = {"run": run, "pipeline": "train", "parameters": {}, "steps": 1}
    finished = {
        "run": run,
        "step": "nothing",
        "function": "steps:nothing",
        "key": run,
        "components": {},
        "inputs": [],
        "outputs": [],
        "cached": False,
        "microseconds": 1,
    }
    return [Draft("run.started", started), Draft("step.finished", finished)]


class Three:
    """Three sites that believe each other; the first release serves at all of them. By region, aws
    and azure are one, which comes before onprem, where releases are begun."""

    def __init__(self, folder: Path, world: Any, more: str = "") -> None:
        folder.mkdir()
        stores = folder / "stores"
        together = "by_region: true" in more
        region = {"aws": ", region: eu", "azure": ", region: eu"} if together else {}
        places = "".join(
            f'  {name}: {{store: {{at: "file://{stores}/{name}"}}{region.get(name, "")}}}\n'
            for name in NAMES
        )
        rolling = f"release: {{{more}rolling: {{soak_minutes: 10, reversal_minutes: 5}}}}\n"
        file = f"{world.PROJECT}site: onprem\nsites:\n{places}{rolling}"
        (folder / "freehold.yaml").write_text(file)
        (folder / "steps.py").write_text(world.STEPS)
        self.clock = world.Clock()
        self.at = {n: world.Loop(open_site(folder, self.clock, n), self.clock) for n in NAMES}
        for one in NAMES:
            for other in set(NAMES) - {one}:
                key = self.at[other].site.signer.public.fingerprint
                trust(self.at[one].site, other, key)
        for version, bias in ((1, 0.0), (2, 0.5)):
            self.at["onprem"].site.ledger.append(made(version))
            world.register(self.at["onprem"].site, version, bias)
        self.release(1, "immediate")
        self.meet()
        self.turn()

    def release(self, version: int, strategy: Any) -> None:
        site = self.at["onprem"].site
        release(site, plan_release(site, f"delay@{version}", strategy, ORDER))

    def meet(self) -> None:
        for _ in range(3):
            for one in NAMES:
                self.clock.pass_seconds()
                exchange(self.at[one].site)

    def turn(self, *names: str) -> dict[str, Any]:
        return {name: self.at[name].turn().move for name in names or NAMES}

    def wait(self, minutes: int) -> None:
        self.clock.pass_seconds(minutes * MINUTE)

    def shares(self) -> list[dict[int, float]]:
        return [self.at[name].shares() for name in ORDER]

    def serve(self, name: str) -> None:
        """What a batch needs: time and rows, then its word, then the driver's."""
        self.at[name].canary(2, FEWEST)
        self.wait(10)
        assert self.turn(name)[name] is not None
        self.meet()

    def close(self) -> None:
        for one in self.at.values():
            one.site.close()
