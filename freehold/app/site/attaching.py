"""Attachments that go where work is asked that needs them, and no further.

They may say something about people. So they lie in a store only as long as the work is open, and
whoever asked for the work takes them away again.
"""

from collections.abc import Iterator

from freehold.app.site.meeting import Meeting
from freehold.app.site.opening import Site
from freehold.domain.errors import IntegrityError
from freehold.ports.attachment_store import attachment_key, check_attachment
from freehold.replication.leases import all_work, attachments_wanted, open_work
from freehold.replication.work import Completion, Work
from freehold.running.projection import attempts_ended

ATTACHMENTS = "attachments/"
Route = dict[str, str]
"""Site that is asked → site whose store it looks into."""


def copy_attachments(site: Site, meeting: Meeting, route: Route) -> int:
    """Fetch those that are wanted here, leave those that are wanted elsewhere, take away those
    that are wanted no more. Returns how many moved."""
    moved = _fetch(site, meeting)
    for place, store in route.items():
        for name in _given(site, place):
            key = attachment_key(name)
            data = _own(site, name)
            if data is None:
                continue
            with meeting.at(store):
                if meeting.stores[store].size(key) is None:
                    meeting.stores[store].put(key, data)
                    moved += 1
    _take_away(site, meeting)
    return moved


def _fetch(site: Site, meeting: Meeting) -> int:
    fetched = 0
    for name in (*attachments_wanted(site.state, site.name), *_failures_wanted(site)):
        key = attachment_key(name)
        if site.objects.size(key) is not None:
            continue
        for store in list(meeting.stores):
            with meeting.at(store):
                try:
                    data = meeting.stores[store].get(key)
                    check_attachment(name, data)
                except (KeyError, IntegrityError):
                    continue
                site.objects.put(key, data)
                fetched += 1
                break
    return fetched


def _given(site: Site, place: str) -> list[str]:
    """Names of what this site gave with work that it asked of the other. What others say that
    work needs may be anything that lies here, such as what a failed step said of a person."""
    return sorted(
        {
            work.parameters_attachment
            for work in open_work(site.state, place)
            if work.parameters_attachment and _asked_here(site, work)
        }
        | {end.failure for _, end in _failures(site, place) if end.writer == site.ledger.writer}
    )


def _failures_wanted(site: Site) -> list[str]:
    """What other sites say of how steps failed that this one asked for."""
    return sorted({end.failure for _, end in _failures(site, site.name)})


def _failures(site: Site, asking: str) -> Iterator[tuple[Work, Completion]]:
    """Of steps that this site asked for, until the run has recorded how the attempt ended."""
    for work in all_work(site.state):
        end, step = work.completion, work.step
        if step is None or end is None or not end.failure or work.asked_by != asking:
            continue
        if attempts_ended(site.state, step.run, step.step) < step.ordinal:
            yield work, end


def _asked_here(site: Site, work: Work) -> bool:
    return work.asked_by == site.name


def _own(site: Site, name: str) -> bytes | None:
    """As it lies, salt and all; None if it is not here or was erased."""
    try:
        data = site.objects.get(attachment_key(name))
        check_attachment(name, data)
    except (KeyError, IntegrityError):
        return None
    return data


def _take_away(site: Site, meeting: Meeting) -> None:
    """Of work that this site asked for and that is over."""
    over = {
        attachment_key(work.parameters_attachment)
        for work in all_work(site.state)
        if work.parameters_attachment and not work.open and _asked_here(site, work)
    }
    over |= _failures_recorded(site)
    for name in list(meeting.stores) if over else ():
        with meeting.at(name):
            store = meeting.stores[name]
            for key in over.intersection(store.keys(ATTACHMENTS)):
                store.delete(key)


def _failures_recorded(site: Site) -> set[str]:
    """Keys of what was said, to this site, of attempts that its runs have recorded: they keep it by
    themselves. Who said it keeps no copy; a name that others gave is nothing to delete here by."""
    found = set()
    for work in all_work(site.state):
        end, step = work.completion, work.step
        if step is None or end is None or not end.failure:
            continue
        if attempts_ended(site.state, step.run, step.step) >= step.ordinal:
            key = attachment_key(end.failure)
            if end.writer == site.ledger.writer:
                site.objects.delete(key)
            if _asked_here(site, work):
                found.add(key)
    return found
