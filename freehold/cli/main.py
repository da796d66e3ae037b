"""`freehold`: finds the command, prints errors in one shape, and gives the exit code."""

import errno
import importlib
import json
import sys
import traceback

import click

from freehold.domain.errors import FreeholdError, StorageFailed, WrongUsage

COMMANDS = {
    "init": "begin a project from a template",
    "check": "the project file, the steps, the policies, the contracts: all faults at once",
    "plan": "what would run, what is cached, and why",
    "run": "run a pipeline; a model that it makes becomes a version",
    "runs": "the runs so far",
    "models": "versions, aliases, evidence, who and when",
    "release": "move a version into traffic, step by step, under guardrails",
    "revoke": "take a version out of traffic everywhere, for good",
    "serve": "answer predictions, and keep the loop going",
    "bundle": "a folder that answers with a version, without a network",
    "bundles": "the bundles that were made, and what came back from them",
    "gateway": "send callers to the nearest site that is well and may have what they send",
    "status": "what serves, what is being released, what waits",
    "signals": "drift and quality of what serves",
    "approve": "act on a proposal that waits",
    "replay": "play a recorded period against the endpoint, as if it were live",
    "labels": "bring labels that arrived, joined by prediction id",
    "costs": "what was spent, by site, model, team, day or tag; estimate against actual",
    "budgets": "what may still be spent this month, and what waits for a person's word",
    "bills": "bring bills of providers, and list them",
    "scaling": "how many replicas the endpoint should have, now and by the hours of the week",
    "compare": "what served, by month, beside a version that stayed as it was",
    "agent": "meet the others, do what is asked of this site, keep what is released, until stopped",
    "console": "answer programs and browsers for this site, and keep the loop going",
    "work": "what sites have asked of each other, and what became of it",
    "sync": "meet the other sites in the object stores, once",
    "fetch": "have a version, what a run made, or one artifact at this site",
    "conflicts": "what sites that did not know of each other decided about the same thing",
    "sites": "who there is, what of each is here, and whom this site believes",
    "doctor": "whether stores, keys, clocks, histories and the disk are sound",
    "keys": "make, add and rotate the keys of encrypted stores",
    "why": "the chain from trigger to traffic of a version, with proofs",
    "audit": "verify or export the history",
    "gc": "let go of stored objects that nothing refers to any more",
    "hold": "keep a version, a run or an object whatever the retention says",
    "policy": "test the project's policies",
    "drill": "prove a promise by doing the thing",
    "demo": "the whole loop on every flight that left New York in 2013",
    "step": "run one step from its manifest (what an engine starts)",
}
"""Name → one line of help. The module is `freehold.cli.<name>`, imported when it is used."""


class LazyGroup(click.Group):
    """Knows its commands by name and imports only the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"freehold.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, line in COMMANDS.items() if name != "step"])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="freehold")
def freehold() -> None:
    """The whole life of a model, on any mix of places, from one project definition."""


def main() -> None:
    """Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 something outside unreachable."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    as_json = "--json" in arguments
    try:
        code = freehold.main(arguments, prog_name="freehold", standalone_mode=False)
    except FreeholdError as error:
        return _failed(error, as_json)
    except click.Abort:
        click.echo("stopped; nothing more was changed", err=True)
        return 1
    except click.ClickException as error:
        hint = "`freehold --help` lists the commands"
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f"`{error.ctx.command_path} --help` shows how"
        why = "the command line cannot be read"
        return _failed(WrongUsage(error.format_message(), why=why, hint=hint), as_json)
    except KeyboardInterrupt:
        click.echo("stopped by the keyboard", err=True)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        return _failed(_from_system(error), as_json)
    except Exception as error:  # noqa: BLE001 - the last boundary: what is left is a bug of ours
        click.echo(traceback.format_exc(), err=True)
        return _failed(_bug(error), as_json)
    # Of a command that ends by `Exit`, click gives the code; of others, None.
    return code if isinstance(code, int) else 0


def _from_system(error: OSError) -> StorageFailed:
    """What no boundary nearer to the disk has turned into an error of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFailed(
            "the disk is full",
            why=str(error),
            hint="make room on the disk and repeat the command",
            code="storage.full",
        )
    return StorageFailed(
        "a file could not be read or written",
        why=str(error),
        hint="mend its permissions or its disk and repeat the command",
    )


def _bug(error: Exception) -> FreeholdError:
    return FreeholdError(
        "this is a fault of Freehold's, not of yours",
        why=f"{type(error).__name__}: {error}",
        hint="report it with the traceback above; what was recorded before it stands",
        code="freehold.bug",
    )


def _failed(error: FreeholdError, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(error.as_json(), indent=2))
    else:
        click.echo(str(error), err=True)
    return error.exit_code


if __name__ == "__main__":
    main()
