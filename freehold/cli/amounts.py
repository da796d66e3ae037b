"""Money, carbon, time and bytes as people read them."""

from freehold.domain.size import spoken


def money(amount: float) -> str:
    """At least two digits that tell something; a small amount is never shown as nothing."""
    if amount == 0:
        return "0"
    if abs(amount) >= 100:
        return f"{amount:,.0f}"
    if abs(amount) >= 0.1:
        return f"{amount:,.2f}"
    return f"{amount:.2g}" if abs(amount) >= 0.0001 else f"{amount:.0e}"


def kilograms(amount: float) -> str:
    return f"{amount * 1000:.3g} gCO2e" if abs(amount) < 1 else f"{amount:,.3g} kgCO2e"


def seconds(amount: float) -> str:
    if amount < 1:
        return f"{amount:.2g} s"
    if amount < 90:
        return f"{amount:.0f} s"
    if amount < 5400:
        return f"{amount / 60:.0f} min"
    return f"{amount / 3600:.1f} h"


def size(amount: float) -> str:
    return spoken(amount)


def gap(share: float) -> str:
    return "proven best" if share <= 1e-9 else f"within {100 * share:.2g} % of the best"
