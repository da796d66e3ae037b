"""The library's errors in the port's words.

The library tells a fault by a text that holds the URL, which may hold a signature: of the text,
only the HTTP status and the store's own code go into an error, and no chain leads back to it.
"""

import re

import obstore
from obstore.exceptions import BaseError

from freehold.domain.errors import FreeholdError, StorageFailed
from freehold.ports.remote_store import TRIED_AGAIN, Interrupted, no_bucket, refusal

LIBRARY = (BaseError, FileNotFoundError)
"""What its calls raise; it has no class of its own for what is absent."""

_STATUS = re.compile(r"(?:non-2xx status code: |\(code: )(\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_NETWORK = re.compile(
    r"HTTP error: (?!builder)|Content-Length Header missing|error decoding response|timed out"
)
_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|container does not exist")
_NO_CREDENTIALS = re.compile(r"169\.254\.\d+\.\d+|metadata\.google|Missing (?:\w+ )?credential")
_TRY_AGAIN_CODES = frozenset(
    {"ConditionalRequestConflict", "InternalError", "OperationAborted", "ServiceUnavailable"}
    | {"ServerBusy", "SlowDown"}
)
"""Said without a status of its own where one answer tells of many keys."""


def status_of(exc: Exception) -> int:
    """0 where no answer came."""
    found = _STATUS.search(str(exc))
    return int(found.group(1)) if found else 0


def code_of(exc: Exception) -> str:
    """The store's own word for it, as in `<Code>SlowDown</Code>`."""
    found = _CODE.search(str(exc))
    return found.group(1) if found else ""


def is_partial_refused(exc: Exception) -> bool:
    """The store answered a range with the status of a whole object."""
    return "non-partial response" in str(exc)


def is_beyond(exc: Exception) -> bool:
    """A range that starts at the end or after it: said by the store, or found by the library."""
    return status_of(exc) == 416 or "Wanted range starting at" in str(exc)


def is_absent(exc: Exception) -> bool:
    """Of a key whose bucket is there, as far as this answer tells."""
    return isinstance(exc, FileNotFoundError) and not _NO_BUCKET.search(str(exc))


def is_condition(exc: Exception) -> bool:
    """A precondition did not hold."""
    kinds = obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError
    return isinstance(exc, kinds) and code_of(exc) not in _TRY_AGAIN_CODES


def fault(exc: Exception, where: str, key: str = "") -> Exception:
    """KeyError, Interrupted, or the FreeholdError that it means."""
    text, status, code = str(exc), status_of(exc), code_of(exc)
    if _NO_BUCKET.search(text):
        return no_bucket(where)
    if is_absent(exc):
        return KeyError(key)
    if _NO_CREDENTIALS.search(text):
        return no_credentials(where)
    why = " ".join(filter(None, (f"HTTP {status}" if status else "", code)))
    if status in TRIED_AGAIN or code in _TRY_AGAIN_CODES:
        return Interrupted(why, in_doubt=status not in (409, 429))
    if not status and _NETWORK.search(text):
        return Interrupted("no whole answer came over the network")
    if "without LOCATION" in text:
        return refusal(where, 301, "it redirects to another region")
    return refusal(where, status, why or f"the library says {type(exc).__name__}")


def no_credentials(where: str) -> FreeholdError:
    return StorageFailed(
        f"there are no credentials for the store {where}",
        why="neither the site's secrets nor the environment have any, and no machine role gave any",
        hint="set FREEHOLD_<SITE>_… or the variables of the vendor's own tools, and repeat",
        code="storage.no-credentials",
    )
