"""What the API answers is what the command of that name prints with `--json`."""

import json
from pathlib import Path
from typing import Any

import pytest

from freehold.app.site.opening import open_site
from freehold.cli.main import run

SAME = {
    "/status": ["status"],
    "/models": ["models"],
    "/models/delay": ["models", "delay"],
    "/models/delay/versions/2": ["models", "delay@2"],
    "/models/delay/versions/1/why": ["why", "delay@1"],
    "/models/delay/versions/champion/why": ["why", "delay@champion"],
    "/runs": ["runs"],
    "/signals": ["signals"],
    "/signals?model=delay": ["signals", "delay"],
    "/conflicts": ["conflicts"],
    "/conflicts?all=true": ["conflicts", "--all"],
    "/sites": ["sites"],
    "/work": ["work"],
    "/work?open=true": ["work", "--open"],
}
REFUSED = {
    "/models/other": (404, ["models", "other"]),
    "/models/delay/versions/9/why": (404, ["why", "delay@9"]),
    "/models/delay/versions/x/why": (404, ["why", "delay@x"]),
    "/runs/none": (404, ["runs", "none"]),
}
WHEN = ("seconds", "_seconds")


def typed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    run([*arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def without_ages(value: Any) -> Any:
    """Seconds since something go on between two looks."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not k.endswith(WHEN)}
        return {key: without_ages(one) for key, one in kept.items()}
    return [without_ages(one) for one in value] if isinstance(value, list) else value


@pytest.fixture
def busy(client: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Something of everything."""
    monkeypatch.chdir(folder)
    assert run(["run", "sums", "--yes"]) == 0
    assert client.post("/work", {"site": "aws", "pipeline": "sums"}).status == 200
    name = client.get("/conflicts")["conflicts"][0]["conflict"]
    assert client.post(f"/conflicts/{name}/settle").status == 200
    return client


@pytest.mark.parametrize("path", SAME)
def test_it_is_the_commands_json(busy: Any, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = typed(SAME[path], capsys)
    assert without_ages(busy.get(path)) == without_ages(said)
    assert said["shape"] >= 1


def test_one_run_and_one_work(busy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run_name = busy.get("/runs")["runs"][0]["run"]
    assert busy.get(f"/runs/{run_name}") == typed(["runs", run_name], capsys)
    row = busy.get("/work")["work"][0]
    assert busy.get(f"/work/{row['work']}") == {"shape": 1, "work": row}


@pytest.mark.parametrize("path", REFUSED)
def test_errors_are_the_commands_too(
    busy: Any, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, arguments = REFUSED[path]
    reply = busy.ask("GET", f"/api/v1{path}")
    assert (reply.status, reply.json) == (status, typed(arguments, capsys))


def test_a_read_appends_nothing(client: Any, folder: Path, console: Any) -> None:
    with open_site(folder) as site:
        before = console.count(site)
        for path in SAME:
            client.get(path)
        assert console.count(site) == before


def test_where_the_loop_stands(client: Any) -> None:
    assert client.get("/console") == {
        "shape": 1,
        "loop": {"at": 0, "failure": "", "turns": "not here"},
    }
