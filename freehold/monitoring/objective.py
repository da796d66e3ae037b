"""What callers were promised, beside what they got."""

from freehold.domain.project import ObjectiveSpec


def missed(spec: ObjectiveSpec, rows: int, failed: int) -> str:
    """How the objective is missed; empty if it is not. `rows`: asked in its days, of which so many
    failed."""
    room = (1 - spec.answered) * rows
    if not spec.answered or rows < spec.rows or failed <= room:
        return ""
    return f"{failed:,} of {rows:,} rows failed in {spec.days} days, {room:,.0f} may"
