"""Who a pseudonym stands for. Kept beside the ledger, not in it, so that a name can be erased.

A pseudonym is drawn by chance: once its line here is gone, nothing leads back to the name. Whoever
was erased and comes again is somebody new.
"""

import fcntl
import getpass
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from freehold.domain.errors import IntegrityError


class People:
    def __init__(self, path: Path, token: Callable[[int], str] = secrets.token_hex) -> None:
        """`token(n)` gives n unpredictable bytes as hexadecimal digits."""
        self._path, self._token = path, token

    def me(self) -> str:
        """The pseudonym of whoever runs this process; noted if it is new.

        Raises IntegrityError `people.unreadable`.
        """
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = "unknown"
        return _pseudonym(self._read(), name) or self._note(name)

    def name_of(self, pseudonym: str) -> str:
        """The name, or the pseudonym itself when it is not known or was erased."""
        return self._read().get(pseudonym, pseudonym)

    def _note(self, name: str) -> str:
        with self._alone():
            known = self._read()
            pseudonym = _pseudonym(known, name)
            if not pseudonym:
                pseudonym = f"person-{self._token(6)}"
                self._write({**known, pseudonym: name})
        return pseudonym

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as exc:
            raise _unreadable(self._path, str(exc)) from exc
        if not isinstance(known, dict) or not all(isinstance(one, str) for one in known.values()):
            raise _unreadable(self._path, "it is not an object of pseudonyms and names")
        return known

    def _write(self, known: dict[str, str]) -> None:
        """Whole or not at all."""
        text = json.dumps(known, indent=2, sort_keys=True)
        with NamedTemporaryFile(
            "w", dir=self._path.parent, prefix=f"{self._path.name}.", delete=False
        ) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(self._path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process or thread at a time: two that are new must not overwrite each other."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _pseudonym(known: dict[str, str], name: str) -> str:
    return next((one for one, noted in known.items() if noted == name), "")


def _unreadable(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path.name} cannot be read: who is who is not known",
        why=why,
        hint=f"restore {path} from a copy, or remove it: the history stands, and only the names"
        " are lost",
        code="people.unreadable",
    )
