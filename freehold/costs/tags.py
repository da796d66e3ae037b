"""Tags as providers write them, as one JSON object of texts, numbers, booleans and nulls.

Forms: a JSON object (FOCUS, attribute Key-Value Format); its inside without the braces (Microsoft's
cost details); a map column, which Parquet readers give as a list of keys and values (AWS); an array
of records with `key` and `value` (Google's BigQuery view), in Parquet or as JSON text.
"""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from freehold.costs.focus import TAGGED

PREFIXES = ("user:", "freehold/", "freehold:", "label_")
"""That providers, exporters and people put before a key that a user chose."""
ALIASES: Mapping[str, str] = {"env": "environment"}
NOTHING = ("", "{}", "[]", "null")


def told(value: Any) -> str | None:
    """Canonical text of one value of a column of tags; None if there are none. Raises ValueError if
    it is in none of the forms."""
    if value is None or (isinstance(value, str) and value.strip() in NOTHING):
        return None
    members = _members(value)
    if any(isinstance(one, dict | list) for one in members.values()):
        raise ValueError("a tag is a text, a number, a boolean or nothing")
    if not members:
        return None
    return json.dumps({key: members[key] for key in sorted(members)}, ensure_ascii=False)


def normalised_tags(column: pl.Series) -> pl.Series:
    """Of any form, as text; null where there are none or where they cannot be read."""
    return _by_value(column, _told_or_none).alias(column.name)


def unreadable_tags(column: pl.Series) -> pl.Series:
    """Whether each value is in none of the forms."""
    return _by_value(column, _is_unreadable, pl.Boolean()).fill_null(False)


def repeated(column: pl.Series) -> pl.Series:
    """The columns of ours that repeat tags, as a struct; of normalised tags."""
    fields = {name: pl.String() for name in TAGGED.values()}
    return _by_value(column, _ours, pl.Struct(fields))


def _members(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        text = value.strip()
        value = json.loads(text if text[0] in "{[" else f"{{{text}}}")
    if isinstance(value, dict):
        return {str(key): one for key, one in value.items()}
    if not isinstance(value, list):
        raise ValueError("neither an object nor a list")
    try:
        return {str(one["key"]): one["value"] for one in value}
    except (KeyError, TypeError) as exc:
        raise ValueError("a list of other than keys and values") from exc


def _told_or_none(value: Any) -> str | None:
    try:
        return told(value)
    except ValueError:
        return None


def _is_unreadable(value: Any) -> bool:
    try:
        told(value)
    except ValueError:
        return True
    return False


def _ours(value: str | None) -> dict[str, str | None]:
    known = plain_tags(value)
    return {column: known.get(tag) for tag, column in TAGGED.items()}


def plain_tags(value: str | None) -> dict[str, str]:
    """Of normalised tags, by the keys that a user chose; what has no value is not there."""
    found: dict[str, str] = {}
    for key, one in json.loads(value).items() if value else ():
        plain = _plain(key)
        if one not in (None, "") and (plain not in found or key == plain):
            found[plain] = one if isinstance(one, str) else json.dumps(one)
    return found


def _plain(key: str) -> str:
    plain = key.lower()
    for prefix in PREFIXES:
        plain = plain.removeprefix(prefix)
    return ALIASES.get(plain, plain)


def _by_value(column: pl.Series, of: Any, kind: pl.DataType | None = None) -> pl.Series:
    """Each different value once: bills repeat their tags."""
    known: dict[str, Any] = {}
    found = []
    for value in column.to_list():
        name = value if isinstance(value, str) else json.dumps(value, default=str)
        if name not in known:
            known[name] = of(value)
        found.append(known[name])
    return pl.Series(column.name, found, dtype=kind or pl.String())
