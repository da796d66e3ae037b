"""The page: where a site stands, for people. It changes nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from freehold.app.conflict.conflicts import conflicts
from freehold.app.loop.signals import signals
from freehold.app.loop.status import status
from freehold.app.model.models import models
from freehold.app.site.opening import Site
from freehold.app.work.work import work
from freehold.console.loop import Standing
from freehold.console.markup import Markup, element, joined, shares, table
from freehold.domain.signal import figure_of, measured

SHOWN = 12
"""Newest signals and proposals on the page; the API has all."""
Row = dict[str, Any]


def login_page(said: str = "") -> str:
    """Asks for the token; `said`: what was wrong with the last one."""
    field = Markup(
        '<input id="token" name="token" type="password" autocomplete="off" required autofocus>'
    )
    form = element(
        "form",
        element("label", "Token", for_="token"),
        field,
        element("button", "Open", type="submit"),
        method="post",
        action="/login",
    )
    where = element("code", "keys/console.token")
    return _document(
        "Freehold console",
        element(
            "main",
            element("h1", "Freehold console"),
            element("p", said, class_="bad", role="alert") if said else None,
            form,
            element("p", "It is in ", where, " of the site's state folder.", class_="faint"),
            class_="login",
        ),
    )


def status_page(site: Site, loop: Standing, seen: Row | None) -> str:
    """`seen`: the last look at the other sites, if there was one."""
    found = status(site)
    told = signals(site)
    main = element(
        "main",
        _section("Serving", *_serving(found)),
        _section("Releases under way", *_releases(found["models"])),
        _section("Waiting for somebody", *_waiting(site, found)),
        _section("Models", _models(models(site))),
        _section("Signals", _signals(told["signals"])),
        _section("Proposals", _proposals(told["proposals"])),
        _section("Sites", *_sites(seen)),
        _section("Work asked of sites", _work(work(site, everything=False))),
        id="status",
    )
    title = f"{found['project']} at {found['site']}"
    head = element(
        "header",
        element("h1", found["project"], element("span", f" at {found['site']}", class_="faint")),
        element("p", _loop(loop), class_="bad" if loop.failure else "faint"),
        element("form", element("button", "Log out"), method="post", action="/logout"),
    )
    now = f"As of {_moment(site.clock())}. The page renews itself and changes nothing."
    return _document(title, joined([head, main, element("footer", element("p", now))]))


def _document(title: str, body: Markup) -> str:
    head = joined(
        [
            Markup('<meta charset="utf-8">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup('<meta name="color-scheme" content="light dark">'),
            element("title", title),
            Markup('<link rel="stylesheet" href="/console.css">'),
            element("script", src="/console.js", defer=""),
        ]
    )
    whole = element("html", element("head", head), element("body", body), lang="en")
    return f"<!doctype html>\n{whole}\n"


def _section(title: str, *content: Markup) -> Markup:
    return element("section", element("h2", title), *content)


def _none(text: str) -> Markup:
    return element("p", text, class_="faint")


def _serving(found: Row) -> Iterator[Markup]:
    endpoint = found["endpoint"]
    if endpoint is None:
        yield _none("This project has no endpoint.")
    elif not endpoint["up"]:
        yield element("p", f"Nobody answers at {endpoint['url']}.", class_="bad")
        yield _command("freehold serve")
    else:
        routing = endpoint["routing"]
        parts = [
            (f"{routing['model']}@{one['version']}", float(one["weight"]))
            for one in routing["variants"]
        ]
        told = ", ".join(f"{name} {share:g} %" for name, share in parts) or "nothing"
        yield element("p", element("strong", told), f" at {endpoint['url']}")
        yield shares(parts)
        if routing["refused"]:
            refused = routing["refused"]
            text = f"It refuses a newer table: [{refused['code']}] {refused['error']}"
            yield element("p", text, class_="bad")


def _releases(rows: list[Row]) -> Iterator[Markup]:
    running = [(row["model"], row["release"]) for row in rows if row["release"]]
    for model, release in running:
        name, weight = f"{model}@{release['version']}", float(release["weight"])
        told = f" gets {release['weight']} % of the traffic, release {release['id']}"
        yield element("p", element("strong", name), told)
        yield shares([("others", 100 - weight), (name, weight)])
    if not running:
        yield _none("None.")


def _waiting(site: Site, found: Row) -> Iterator[Markup]:
    rows: list[list[Markup | str]] = []
    for model in found["models"]:
        for one in model["proposals"]:
            if one["standing"] == "made":
                name = one["proposal"]
                rows.append([f"proposal {name}", _command(f"freehold approve {name}")])
    for quarrel in conflicts(site):
        name = quarrel.quarrel.name
        told = f"conflict {name} about {quarrel.quarrel.about}, {quarrel.holds[:19]} holds"
        rows.append([told, _command(f"freehold conflicts settle {name}")])
    for run in found["unfinished_runs"]:
        told = f"run {run['run']} of {run['pipeline']}: {run['status']}"
        rows.append([told, _command(f"freehold run --resume {run['run']}")])
    yield table(["what", "what a person can do"], rows) if rows else _none("Nothing.")


def _models(rows: list[Row]) -> Markup:
    if not rows:
        return _none("No version yet.")
    heads = ["version", "alias", "traffic>", "AUC>", "95 %", "policy", "made", "by"]
    return table(heads, [_version(row) for row in reversed(rows)])


def _version(row: Row) -> list[Markup | str]:
    figures = row["headline"]
    interval = f"{figures['auc_low']:.3f}–{figures['auc_high']:.3f}" if "auc_low" in figures else ""
    if row["allowed"]:
        policy: Markup | str = "allowed"
    else:
        denied = ", ".join(row["denied_by"])
        policy = element("span", f"denied: {denied}" if denied else "not asked", class_="bad")
    aliases = [element("span", alias, class_="tag") for alias in row["aliases"]]
    return [
        element("strong", f"{row['model']}@{row['version']}"),
        joined(aliases),
        f"{row['traffic']} %" if row["traffic"] else "",
        f"{figures['auc']:.3f}" if "auc" in figures else "–",
        interval,
        policy,
        _short(row["at"]),
        row["by"],
    ]


def _signals(rows: list[Row]) -> Markup:
    if not rows:
        return _none("None was raised.")
    heads = ["days to", "model", "signal", "value>", "limit>", "rows>", "asks for"]
    return table(
        heads,
        [
            [
                row["window_end"],
                f"{row['model']}@{row['version']}" if row["version"] else row["model"],
                f"{row['kind']} of {measured(row['kind'], row['feature'])}",
                figure_of(row["kind"], row["value"]),
                figure_of(row["kind"], row["limit"]),
                f"{row['rows']:,}",
                element("span", row["severity"], class_="bad")
                if row["severity"] == "action"
                else row["severity"],
            ]
            for row in reversed(rows[-SHOWN:])
        ],
    )


def _proposals(rows: list[Row]) -> Markup:
    if not rows:
        return _none("None was made.")
    return table(
        ["proposal", "action", "for", "standing", "made"],
        [
            [
                element("strong", row["proposal"]),
                f"{row['action']} {row['model']}@{row['version']}",
                ", ".join(sorted({str(one["kind"]) for one in row["signals"]})),
                element("span", row["standing"], class_=f"tag {row['standing']}"),
                f"{row['model']}@{row['made_version']}" if row["made_version"] else "",
            ]
            for row in reversed(rows[-SHOWN:])
        ],
    )


def _sites(seen: Row | None) -> Iterator[Markup]:
    if seen is None:
        yield _none("Being asked; the page shows them when it renews itself.")
        return
    if seen.get("failure"):
        yield element("pre", seen["failure"], class_="bad")
        return
    held: dict[str, list[Row]] = {}
    for log in seen["logs"]:
        held.setdefault(log["site"], []).append(log)
    rows = []
    for one in seen["sites"]:
        logs = held.get(one["name"], [])
        entries = sum(log["held"] for log in logs)
        behind = sum(log["behind"] for log in logs)
        reach = {"none": "–", "not ours": "private to it"}.get(one["reach"], one["reach"])
        here = element("span", "this one", class_="tag") if one["here"] else ""
        rows.append(
            [
                joined([element("strong", one["name"]), " ", here]),
                one["jurisdiction"] or "–",
                reach if reach in ("–", "reached", "private to it") else _bad(reach),
                f"{entries:,}",
                f"{behind:,}" if behind else "–",
            ]
        )
    heads = ["site", "jurisdiction", "its store", "entries here>", "not here yet>"]
    yield table(heads, rows)
    yield _none(f"As of {_moment(seen['at'])}.")


def _work(rows: list[Row]) -> Markup:
    if not rows:
        return _none("None is open.")
    return table(
        ["work", "at", "pipeline", "standing", "asked by", "when"],
        [
            [
                row["work"],
                row["site"],
                row["pipeline"],
                row["standing"],
                row["asked_by"],
                _short(row["at"]),
            ]
            for row in rows
        ],
    )


def _loop(loop: Standing) -> str:
    if loop.failure:
        return f"The loop's last turn failed: {loop.failure}"
    when = f", last at {_moment(loop.at)}" if loop.at else ""
    return {
        "another process": f"Another process turns the loop{when}.",
        "not here": "The loop is not turned here.",
        "nothing to turn": "Nothing is released: the loop has nothing to turn.",
        "this console": f"This console turns the loop{when}.",
    }[loop.turns]


def _command(text: str) -> Markup:
    return element("code", text)


def _bad(text: str) -> Markup:
    return element("span", text, class_="bad")


def _moment(microseconds: int) -> str:
    return f"{datetime.fromtimestamp(microseconds / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _short(moment: str) -> str:
    """Of an ISO date and time, to the minute."""
    return moment[:16].replace("T", " ")
