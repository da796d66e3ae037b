"""`--set name=value`, as plan and run take it."""

import click

from freehold.domain.errors import WrongUsage

option = click.option(
    "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter of the pipeline."
)


def values_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Raises WrongUsage."""
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise WrongUsage(
                f"'{pair}' is not NAME=VALUE",
                why="--set gives one parameter of the pipeline its value",
                hint="write it like --set until=2013-04-01",
                code="usage.set",
            )
        values[name] = value
    return values
