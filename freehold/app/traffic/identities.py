"""Ids as a project has them written: as they came, or as tokens.

Labels come by the ids that callers know. Where ids are personal they are kept by the same tokens as
the log's, and what was written in clear before is given tokens as it is read: so a label and its
row meet, whichever of them is older than the setting. Under another key nothing meets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import polars as pl

from freehold.app.site.opening import Site
from freehold.app.traffic.log_settings import as_opened, log_settings
from freehold.app.traffic.token_key import token_key
from freehold.serving.prediction_log import TOKEN_IDS, TOKENS
from freehold.serving.tokens import PREDICTION, REQUEST, TokenKey


@dataclass(frozen=True)
class Identities:
    key: TokenKey | None
    """None: ids stay as they came."""

    @classmethod
    def of(cls, site: Site) -> Self:
        """Raises what keeps the key for tokens from being used."""
        settings = log_settings(site) or as_opened(site)
        return cls(token_key(site) if settings.personal_ids else None)

    def written(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Of ids in clear."""
        if self.key is None:
            return rows
        return rows.with_columns(
            pl.Series(name, self.key.tokens(name, rows[name], numbers=False), pl.String)
            for name in (PREDICTION, REQUEST)
            if name in rows.columns
        )

    @property
    def metadata(self) -> dict[str, str]:
        """Of a Parquet file of what `written` gave."""
        return {} if self.key is None else {TOKENS: self.key.name, TOKEN_IDS: "true"}

    def read(self, rows: pl.DataFrame, metadata: Mapping[str, str]) -> pl.DataFrame:
        """Of a file with these metadata."""
        return rows if metadata.get(TOKEN_IDS) == "true" else self.written(rows)
