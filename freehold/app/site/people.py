"""Who a pseudonym stands for. Kept beside the ledger, not in it, so that a name can be erased."""

import getpass
import json
import os
from hashlib import sha256
from pathlib import Path


class People:
    def __init__(self, path: Path) -> None:
        self._path = path

    def me(self, writer: str) -> str:
        """The pseudonym, at this writer, of whoever runs this process; noted if it is new."""
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = "unknown"
        pseudonym = "person-" + sha256(f"{writer}\0{name}".encode()).hexdigest()[:12]
        known = self._read()
        if known.get(pseudonym) != name:
            part = self._path.with_suffix(f".{os.getpid()}.part")
            part.write_text(json.dumps({**known, pseudonym: name}, indent=2, sort_keys=True))
            part.replace(self._path)
        return pseudonym

    def name_of(self, pseudonym: str) -> str:
        """The name, or the pseudonym itself when it is not known or was erased."""
        return self._read().get(pseudonym, pseudonym)

    def _read(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        known: dict[str, str] = json.loads(self._path.read_text())
        return known
