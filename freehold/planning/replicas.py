"""What sites keep of a model that a run registers: a copy of its package, which they fetch from
where it was registered, wherever it was made. No choice of a place changes that: it is added to
what the steps cost.
"""

from collections.abc import Iterator, Mapping

from freehold.domain.graph import Reference
from freehold.domain.offer import Figure
from freehold.planning.ground import GIGABYTE, Ground, Laws
from freehold.planning.labelling import StepLabels
from freehold.planning.placed import PlacedCopies

WHEN = {"models": "when policy allows the version", "aliases": "when the version has an alias"}
"""What a site keeps → from when on; what comes first says it."""


def replicas_of(
    registered: frozenset[Reference],
    sizes: Mapping[Reference, Figure],
    labels: Mapping[str, StepLabels],
    stands: tuple[Ground, Laws],
) -> Iterator[PlacedCopies]:
    """`registered`: outputs that become a version's package. Sites that keep all results have a
    copy of them anyway; none goes to where labels forbid it, or to a site that is down."""
    ground, laws = stands
    for site, kinds in ground.replicas.items():
        when = next((told for kind, told in WHEN.items() if kind in kinds), "")
        if not when or "results" in kinds or site in ground.down:
            continue
        wanted = [
            one
            for one in sorted(registered, key=lambda one: (one.node, one.output))
            if not laws.barred(labels[one.node].makes, site)
            and not laws.barred_way(labels[one.node].makes, ground.here, site)
        ]
        if wanted:
            yield _copy(
                site, when, {f"{one.node}.{one.output}": sizes[one] for one in wanted}, ground
            )


def _copy(site: str, when: str, sizes: Mapping[str, Figure], ground: Ground) -> PlacedCopies:
    size = sum(one.value for one in sizes.values())
    figures = {f"size of {name}": figure for name, figure in sizes.items()}
    figures |= ground.keeping_figures(site)
    money, carbon = ground.keeping(site, size), 0.0
    formulas = [ground.keeping_told(site, size)]
    way = ground.ways.get((ground.here, site))
    if way is not None:
        figures |= {"price": way.money, "carbon": way.carbon}
        money += size / GIGABYTE * way.money.value
        carbon = size / GIGABYTE * way.carbon.value
        if size:
            formulas.insert(0, f"{size / GIGABYTE:.6g} GB × {way.money.value:g} {way.money.unit}")
    told = " + ".join(filter(None, formulas))
    return PlacedCopies(site, tuple(sizes), money, figures, told, carbon, when)
