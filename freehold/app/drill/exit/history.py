"""Every log that is held, and the attachments that were not erased."""

import re
from collections.abc import Iterator
from typing import Any

from freehold.app.audit.export import PUBLIC_KEY, VERIFIER, write_log
from freehold.app.drill.exit.folder import ExitFolder
from freehold.app.drill.exit.logs import all_facts, is_own, key_of, lines_of, writers
from freehold.app.history.logs import Log
from freehold.app.site.opening import Site
from freehold.governance.export import ENTRIES
from freehold.ports.attachment_store import attachment_key

INDEX = "history/index.json"
ATTACHMENTS = "history/attachments/index.json"
ATTACHMENT = re.compile(rb"salted-sha256:[0-9a-f]{64}")
"""The name of an attachment, in whatever fact it stands."""


def key_path(writer: str) -> str:
    """Where the public key of a writer lies in an exit."""
    return f"history/{writer}/{PUBLIC_KEY}"


def write_history(site: Site, folder: ExitFolder) -> None:
    """A folder for each log, the own one first in the index."""
    index = []
    for writer in writers(site):
        place, key = f"history/{writer}", key_of(site, writer)
        if key is None:
            folder.faults.append(f"history of {writer}: its public key is not kept here")
            continue
        counts = write_log(Log(site, writer, key), folder.root / place)
        for name in (*counts, VERIFIER.name, PUBLIC_KEY):
            folder.note(f"{place}/{name}")
        index.append({"writer": writer, "folder": place, "entries": counts[ENTRIES]})
    folder.put_json(INDEX, index)
    folder.put_json(ATTACHMENTS, [*_attachments(site, folder)])


def _attachments(site: Site, folder: ExitFolder) -> Iterator[dict[str, Any]]:
    """As they lie: 16 bytes of salt, then what was attached. So their SHA-256 is their name."""
    erased = {fact.body["attachment"] for fact in all_facts(site, "attachment.erased")}
    for name, fact in _named(site).items():
        entry = {"attachment": name, "fact": fact, "erased": name in erased}
        if name in erased:
            yield {**entry, "path": None}
            continue
        try:
            data = site.objects.get(attachment_key(name))
        except KeyError:
            folder.missing(f"attachment {name}", is_own(site, fact.rpartition("/")[0]))
            continue
        path = f"history/attachments/{name.partition(':')[2]}"
        folder.put(path, data)
        yield {**entry, "path": path}


def _named(site: Site) -> dict[str, str]:
    """By attachment, the first fact that names it."""
    found: dict[str, str] = {}
    for writer in writers(site):
        for sequence, line in enumerate(lines_of(site, writer)):
            for name in ATTACHMENT.findall(line):
                found.setdefault(name.decode(), f"{writer}/{sequence}")
    return found
