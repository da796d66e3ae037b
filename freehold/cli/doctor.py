"""`freehold doctor`"""

import click

from freehold.app.site.health.examination import Examination, examine
from freehold.app.site.health.finding import Finding, counted
from freehold.cli import output
from freehold.domain.errors import Failed, FreeholdError, Unreachable

_COLOURS = {"good": "green", "warning": "yellow", "bad": "red"}


@click.command("doctor")
@click.option("--site", default="", help="Another site than the one this checkout is.")
@output.as_json
def command(site: str, as_json: bool) -> None:
    """Look at everything that this site stands on: stores, keys, clocks, histories, disk.

    Exit code 1 if anything is bad, 3 if all that is bad is out of reach. Into each store that is
    reached it puts objects of its own below probe/, and removes them.
    """
    found = examine(site=site, tell=output.note)
    if as_json:
        output.data(found.as_json())
        raise click.exceptions.Exit(found.exit_code)
    _show(found)
    if found.exit_code:
        raise _verdict(found)
    output.next_command("freehold sites", "freehold status")


def _show(found: Examination) -> None:
    width = max(len(_subject(one)) for one in found.findings)
    for one in found.findings:
        mark = click.style(f"{one.standing:8}", fg=_COLOURS[one.standing])
        click.echo(f"{mark} {_subject(one):{width}}  {one.what}")
        if one.standing == "good":
            continue
        for name, text in (("because", one.why), ("hint", one.hint)):
            if text:
                click.echo(f"{'':9}{'':{width}}    {name}: {text}")
    told = [f"{found.count(kind)} {kind}" for kind in _COLOURS]
    click.echo(", ".join(told))


def _subject(one: Finding) -> str:
    return f"{one.check} {one.about}".rstrip()


def _verdict(found: Examination) -> FreeholdError:
    bad = [one for one in found.findings if one.standing == "bad"]
    why = "; ".join(f"{_subject(one)}: {one.what}" for one in bad[:5])
    hint = "do what stands at the first of them, and type `freehold doctor` again"
    if found.exit_code == Unreachable.exit_code:
        return Unreachable(
            "what this site needs outside does not answer",
            why=why,
            hint="work here goes on meanwhile; see whether this machine reaches those addresses",
            code="doctor.unreachable",
        )
    what = f"{counted(len(bad), 'check')} of {len(found.findings)} found something bad"
    return Failed(what, why=why, hint=hint, code="doctor.found")
