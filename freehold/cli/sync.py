"""`freehold sync`"""

import click

from freehold.app.site.exchange import Exchanged, exchange
from freehold.app.site.meeting import damaged, reached
from freehold.app.site.opening import open_site
from freehold.cli import output
from freehold.cli.progress import TransferProgress
from freehold.domain.errors import Unreachable


@click.command("sync", help="Meet the other sites in the object stores, once.")
@click.option("--site", default="", help="Another site than the one this checkout is.")
@click.option("--verify", is_flag=True, help="Read the stores' copies again, and mend them.")
@output.as_json
def command(site: str, verify: bool, as_json: bool) -> None:
    with open_site(site=site) as opened:
        stores = len(reached(opened))
        with TransferProgress(quiet=as_json) as progress:
            done = exchange(opened, progress.line, verify=verify, watch=progress)
            if not verify and damaged(opened, done.faults):
                progress.line("a copy in a store is damaged: all are verified and mended")
                again = exchange(opened, progress.line, verify=True, watch=progress)
                done.received += again.received
                done.published += again.published
    if as_json:
        output.data(done.as_json())
    else:
        _show(done)
    if done.unreachable and len(done.unreachable) >= stores:
        if as_json:
            raise click.exceptions.Exit(Unreachable.exit_code)
        raise Unreachable(
            "no store could be reached",
            why="; ".join(f"{name}: {why}" for name, why in done.unreachable.items()),
            hint="what was done here is kept and goes with the next sync; `freehold doctor` looks"
            " at the stores",
            code="sync.nobody-reached",
        )


def _show(done: Exchanged) -> None:
    if done.continued_as:
        click.echo(f"the stores know more of this site's log: it goes on as {done.continued_as}")
    copied = done.copied
    if done.quiet:
        click.echo("nothing new on either side")
    else:
        entries = "entry" if done.received == 1 else "entries"
        click.echo(f"{done.received:,} {entries} received, {done.published:,} published")
        if copied.fetched or copied.sent:
            click.echo(
                f"{copied.fetched:,} artifacts fetched, {copied.sent:,} left for others,"
                f" {copied.bytes / 1e6:,.1f} MB"
            )
    for name, why in done.unreachable.items():
        output.note(f"the store of {name} was not reached: {why}")
    for stranger in done.strangers:
        told = stranger.key or "no key that fits"
        output.note(f"not believed: the log {stranger.writer}, key {told}")
    for fault in done.faults:
        where = f" in the store of {fault.store}" if fault.store else ""
        output.note(f"not taken: {fault.writer}{where}: [{fault.kind}] {fault.what}")
    for kept in copied.barred:
        output.note(f"stays here: {kept.digest[:19]} for {kept.site}: {kept.why}")
    if done.accusations:
        click.echo(f"{done.accusations} logs were rewritten by who signed them: `freehold sites`")
    if done.conflicts:
        was = "conflict was" if done.conflicts == 1 else "conflicts were"
        click.echo(f"{done.conflicts} {was} found")
    if done.conflicts:
        output.next_command("freehold conflicts")
    elif done.strangers:
        first = done.strangers[0]
        output.next_command(f"freehold sites trust {first.site} {first.key}")
    else:
        output.next_command("freehold sites", "freehold status")
