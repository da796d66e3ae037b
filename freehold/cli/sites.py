"""`freehold sites`"""

import click

from freehold.app.site.health.finding import counted, duration
from freehold.app.site.health.logs import LogStanding
from freehold.app.site.health.overview import Overview, look_at_sites
from freehold.app.site.opening import open_site
from freehold.app.site.trusting import plan_trust, rekey, trust
from freehold.cli import drawing, output

_site = click.option("--site", default="", help="Another site than the one this checkout is.")


@click.group("sites", invoke_without_command=True)
@_site
@output.as_json
@click.pass_context
def command(context: click.Context, site: str, as_json: bool) -> None:
    """Who there is, what of each is here, and whom this site believes."""
    if context.invoked_subcommand is not None:
        return
    with open_site(site=site) as opened:
        found = look_at_sites(opened, output.note)
    if as_json:
        output.data(found.as_json())
        return
    _show(found)
    _next(found)


@command.command("trust")
@click.argument("name", metavar="SITE")
@click.argument("key", nargs=-1, required=True)
@_site
@output.yes
@output.as_json
def trust_command(name: str, key: tuple[str, ...], site: str, yes: bool, as_json: bool) -> None:
    """Believe what SITE signs with KEY, from the next meeting on.

    KEY is the fingerprint that SITE's people read to you: `freehold sites` shows it there. It may
    be typed in groups, with or without `sha256:`.
    """
    wanted = _fingerprint(key)
    with open_site(site=site) as opened:
        plan_trust(opened, name, wanted)
        if not as_json:
            click.echo(f"{opened.name} will believe all that {name} signs with the key\n{wanted}")
        output.confirm(f"Did the people of {name} read this key to you?", yes)
        trust(opened, name, wanted)
        own = opened.name
    if as_json:
        output.data({"shape": 1, "site": own, "trusts": name, "key": wanted})
        return
    click.echo(f"{own} believes {name}")
    output.next_command("freehold sync")


@command.command("rekey")
@_site
@output.yes
@output.as_json
def rekey_command(site: str, yes: bool, as_json: bool) -> None:
    """Go on with a new key, in a new log.

    The old log's last entry, signed with the old key, hands over to the new one, so that whoever
    believed this site goes on believing it. Its endpoint and agent must be started again.
    """
    with open_site(site=site) as opened:
        name, old = opened.name, opened.signer.public.fingerprint
        pinned = bool(opened.project.spec.sites.get(name) and opened.project.spec.sites[name].keys)
        if not as_json:
            click.echo(
                f"{name} gets a new key and goes on in a new log; the log that it has hands over"
                f" to it.\nThe old key {old}\nstays as site.key.old. An endpoint or agent that runs"
                " here must be started again."
            )
        output.confirm("Replace the key?", yes)
        new = rekey(opened)
    if as_json:
        output.data({"shape": 1, "site": name, "old": old, "key": new})
        return
    click.echo(f"the key of {name} is now\n{new}")
    if pinned:
        output.note(f"freehold.yaml lists the keys of {name}: add this one under `sites: {name}:`")
    output.next_command("freehold sync   (the others learn of it)", "freehold serve")


def _fingerprint(parts: tuple[str, ...]) -> str:
    joined = "".join(parts).lower()
    return joined if joined.startswith("sha256:") else f"sha256:{joined}"


def _show(found: Overview) -> None:
    drawing.table(
        "",
        ["site", "", "freehold", "store", "private", "jurisdiction", "its store"],
        [
            [
                one.name,
                "this one" if one.here else "",
                ", ".join(one.freehold) or "not known",
                one.store or "-",
                "yes" if one.private else "no",
                one.jurisdiction or "-",
                {"not ours": "private to it", "none": "-"}.get(one.reach, one.reach),
            ]
            for one in found.sites
        ],
    )
    click.echo()
    drawing.table(
        "",
        ["log", "believed", "key", "here>", "in stores>", "lag"],
        [
            [
                log.writer,
                log.belief,
                log.key.removeprefix("sha256:")[:16] or "-",
                f"{log.held:,}",
                "-" if log.known is None else f"{log.known:,}",
                _lag(log, found),
            ]
            for log in found.logs
        ],
    )
    click.echo()
    click.echo(f"this site is {found.site}; its key, to be read to the others:")
    click.echo(found.key)
    click.echo("  " + _grouped(found.key))
    _tell(found)


def _tell(found: Overview) -> None:
    for log in found.logs:
        for words in log.accusations:
            click.echo(f"accused: {log.writer}: {words}")
        if log.folded < log.held:
            missing = " and ".join(
                f"{counted(n, 'entry')} of {w}" for w, n in log.waits_for.items()
            )
            waiting = counted(log.held - log.folded, "entry")
            click.echo(f"waiting: {waiting} of {log.writer}, for {missing or 'another log'}")
    for log in found.strangers:
        if log.key:
            click.echo(f"not believed: {log.writer} has the key")
            click.echo(f"{log.key}\n  {_grouped(log.key)}")
            output.note(f"  ask the people of {log.site} to read theirs to you, and compare")
        else:
            click.echo(f"not believed: {log.writer} comes with no key that fits")
    if len(found.releases) > 1:
        output.note(f"warning: the sites run Freehold {' and '.join(found.releases)}")
    if found.conflicts:
        click.echo(f"{counted(found.conflicts, 'conflict')} between sites open")


def _lag(log: LogStanding, found: Overview) -> str:
    if log.belief == "not believed":
        return "not taken"
    if log.behind:
        text = f"{counted(log.behind, 'entry')}, {duration(log.behind_seconds or 0)}"
        return f"{text}; written {duration(log.missing_seconds or 0)} ago"
    if not found.reached:
        return "no store answers"
    if log.unpublished:
        return f"none; {counted(log.unpublished, 'entry')} not in a store yet"
    return "none"


def _grouped(key: str) -> str:
    """In groups of four, as they are read aloud."""
    digits = key.removeprefix("sha256:")
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def _next(found: Overview) -> None:
    stranger = found.trustworthy
    if stranger:
        output.next_command(f"freehold sites trust {stranger.site} {stranger.key}")
    elif found.conflicts:
        output.next_command("freehold conflicts")
    elif found.moves:
        output.next_command("freehold sync")
    else:
        output.next_command("freehold doctor", "freehold status")
