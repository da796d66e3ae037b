"""What the request log keeps of the rows that a table answers, as the table's rule says.

While a table has another variant or a shadow, all rows are kept: a release needs its evidence.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from freehold.domain.errors import Fault, IntegrityError, NotFound
from freehold.domain.routing import RoutingTable
from freehold.serving.sampling import Sampling
from freehold.serving.tokens import TokenKey, Tokens

TOKEN_KEY = "tokens.key"
"""In the serving folder, beside the log's own."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Keeping:
    sampling: Sampling | None = None
    """None: all keys are kept."""
    whole: bool = True
    """Whether rows of other keys are kept, too."""
    tokens: Tokens | None = None
    """None: nothing is personal."""


EVERYTHING = Keeping()


def keeping_of(folder: Path, table: RoutingTable, kinds: Mapping[str, str]) -> Keeping:
    """`folder`: the serving folder; `kinds`: of the columns that the table's models take.

    Raises IntegrityError `endpoint.log-columns` with every personal column that is not theirs,
    and what keeps the key for tokens from being used: without it nothing personal may be written.
    """
    rule = table.log
    unknown = [name for name in rule.personal if name not in kinds]
    if unknown:
        raise IntegrityError(
            f"the routing table calls columns personal that {table.model} does not take",
            why=", ".join(unknown),
            faults=[_unknown(name, kinds) for name in unknown],
            code="endpoint.log-columns",
            hint="mend `endpoint.log.personal` in freehold.yaml, then release again",
        )
    return Keeping(
        None if rule.sample >= 1 else Sampling(table.model, rule.sample),
        rule.whole or rule.sample >= 1 or len(table.variants) > 1 or table.shadow is not None,
        Tokens(_key(folder / TOKEN_KEY, rule.key), frozenset(rule.personal), rule.ids)
        if rule.key
        else None,
    )


def _key(path: Path, name: str) -> TokenKey:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except OSError as exc:
        raise NotFound(
            f"the key for tokens, {path}, cannot be read",
            why=f"{exc}; columns are personal, and are never written in clear",
            code="endpoint.token-key",
            hint="`freehold release` or `freehold serve` makes it",
        ) from exc
    if mode & _OTHERS:
        raise IntegrityError(
            f"the key {path} can be used by others on this machine",
            why=f"its mode is {mode:04o}",
            code="key.readable-by-others",
            hint=f"chmod 600 {path}",
        )
    try:
        key = TokenKey.parse(text)
    except ValueError as exc:
        raise IntegrityError(
            f"{path} is no key for tokens",
            why=str(exc),
            code="key.unreadable",
            hint="put it back; or remove it: `freehold release` or `freehold serve` makes another",
        ) from exc
    if key.name != name:
        raise IntegrityError(
            f"the key {path} is not the one that the routing table names",
            why=f"it is {key.name}, not {name}",
            code="endpoint.token-key",
            hint="`freehold release` or `freehold serve` writes the table anew",
        )
    return key


def _unknown(name: str, kinds: Mapping[str, str]) -> Fault:
    close = get_close_matches(name, kinds, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(sorted(kinds))}"
    return Fault("endpoint.log-columns", f"there is no column '{name}'", hint=hint)
