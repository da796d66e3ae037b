"""`freehold sites`, `doctor` and `keys`, as they are typed."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FILE = """\
project: tiny
pipelines:
  sums: steps:sums
site: onprem
sites:
  onprem:
    store: {{at: "file://{stores}/onprem"{onprem}}}
    private: true
    jurisdiction: EU
  aws:
    store: {{at: "{aws}"}}
"""


@pytest.fixture
def sites(project: Any, tmp_path: Path) -> Any:
    """The small project at two sites."""
    declare(project, tmp_path)
    return project


def declare(project: Any, tmp_path: Path, *, aws: str = "", onprem: str = "") -> None:
    stores = tmp_path / "stores"
    file = FILE.format(stores=stores, aws=aws or f"file://{stores}/aws", onprem=onprem)
    project.write("freehold.yaml", file)


def key_of(project: Any, site: str) -> str:
    said = project.freehold("sites", "--site", site, "--json")
    assert said.code == 0, said.out
    return str(said.json["key"])


def log_of(said: Any, site: str) -> dict[str, Any]:
    (found,) = [log for log in said.json["logs"] if log["site"] == site]
    return dict(found)


def test_two_sites_come_to_believe_each_other(sites: Any) -> None:
    assert sites.freehold("sync", "--site", "aws").code == 0
    key = key_of(sites, "aws")
    said = sites.freehold("sites")
    assert said.code == 0
    assert "not believed" in said.out
    assert key in said.out
    assert f"next: freehold sites trust aws {key}" in said.err
    # As it is read over the telephone: in groups, without the prefix.
    digits = key.removeprefix("sha256:").upper()
    groups = [digits[at : at + 4] for at in range(0, len(digits), 4)]
    said = sites.freehold("sites", "trust", "aws", *groups, "--yes")
    assert (said.code, "onprem believes aws" in said.out) == (0, True)
    before = log_of(sites.freehold("sites", "--json"), "aws")
    assert (before["belief"], before["held"], before["behind"]) == ("trusted", 0, 1)
    assert sites.freehold("sync").code == 0
    after = log_of(sites.freehold("sites", "--json"), "aws")
    assert (after["held"], after["behind"], after["stores"]) == (1, 0, ["onprem", "aws"])


def test_the_own_key_is_shown_plainly_and_in_groups(sites: Any) -> None:
    key = key_of(sites, "onprem")
    lines = sites.freehold("sites").out.splitlines()
    assert key in lines
    assert any("".join(line.split()) == key.removeprefix("sha256:") for line in lines)
    assert [line for line in lines if line.startswith("onprem") and "this one" in line]


def test_what_is_held_is_shown_when_no_store_answers(sites: Any, tmp_path: Path) -> None:
    sites.freehold("sync", "--site", "aws")
    sites.freehold("sites", "trust", "aws", key_of(sites, "aws"), "--yes")
    sites.freehold("sync")
    for store in ("onprem", "aws"):
        (tmp_path / "stores" / store).rename(tmp_path / store)
        (tmp_path / "stores" / store).write_text("no folder")
    said = sites.freehold("sites", "--json")
    assert said.code == 0
    log = log_of(said, "aws")
    assert (log["held"], log["known"], log["belief"]) == (1, None, "trusted")
    assert all(one["reach"].startswith("[") for one in said.json["sites"])
    assert "no store answers" in sites.freehold("sites").out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nowhere", "0" * 64], "site.unknown"),
        (["aws", "123"], "usage.fingerprint"),
    ],
)
def test_a_trust_that_makes_no_sense_is_refused(
    sites: Any, arguments: list[str], code: str
) -> None:
    said = sites.freehold("sites", "trust", *arguments, "--yes", "--json")
    assert said.json["error"]["code"] == code
    assert said.code != 0


def test_nobody_is_believed_unasked(sites: Any) -> None:
    key = key_of(sites, "aws")
    said = sites.freehold("sites", "trust", "aws", key, "--json")
    assert (said.code, said.json["error"]["code"]) == (2, "usage.needs-yes")
    said = sites.freehold("sites", "rekey", "--json")
    assert (said.code, said.json["error"]["code"]) == (2, "usage.needs-yes")


def test_a_key_is_replaced_and_the_others_go_on(sites: Any) -> None:
    old = key_of(sites, "aws")
    sites.freehold("sync", "--site", "aws")
    sites.freehold("sites", "trust", "aws", old, "--yes")
    sites.freehold("sync")
    said = sites.freehold("sites", "rekey", "--site", "aws", "--yes", "--json")
    assert (said.code, said.json["old"]) == (0, old)
    new = said.json["key"]
    assert key_of(sites, "aws") == new != old
    assert sites.freehold("sync", "--site", "aws").code == 0
    assert sites.freehold("sync").code == 0
    logs = sites.freehold("sites", "--json").json["logs"]
    beliefs = {log["key"]: (log["belief"], log["behind"]) for log in logs if log["site"] == "aws"}
    assert beliefs == {old: ("trusted", 0), new: ("handed over", 0)}


def test_a_project_of_one_place_is_shown_too(project: Any) -> None:
    said = project.freehold("sites", "--json")
    assert (said.code, [one["name"] for one in said.json["sites"]]) == (0, ["local"])
    assert project.freehold("sites").code == 0
    assert project.freehold("doctor").code == 0


def test_the_doctor_finds_nothing(sites: Any) -> None:
    said = sites.freehold("doctor", "--json")
    assert said.code == 0, said.out
    assert said.json["counts"]["bad"] == 0
    wanted = {"check", "about", "standing", "what", "why", "hint", "unreachable", "figures"}
    assert all(one.keys() == wanted for one in said.json["findings"])
    said = sites.freehold("doctor")
    assert said.code == 0
    assert said.out.splitlines()[-1].endswith("0 warning, 0 bad")
    assert "next:" in said.err


def test_the_doctor_tells_what_is_bad_and_what_to_do(sites: Any) -> None:
    sites.freehold("sites")
    key = sites.folder / ".freehold" / "sites" / "onprem" / "keys" / "site.key"
    key.chmod(0o640)
    said = sites.freehold("doctor")
    assert said.code == 1
    assert f"hint: chmod 600 {key}" in said.out
    assert "error[doctor.found]" in said.err
    said = sites.freehold("doctor", "--json")
    assert said.code == 1
    assert said.json["counts"]["bad"] > 0


def test_the_doctor_tells_what_is_only_out_of_reach(
    sites: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "never-to-be-seen"
    monkeypatch.setenv("FREEHOLD_AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("FREEHOLD_AWS_SECRET_ACCESS_KEY", secret)
    address = 's3://bucket", endpoint: "http://127.0.0.1:1", region: "us-east-1'
    declare(sites, tmp_path, aws=address)
    said = sites.freehold("doctor")
    assert (said.code, "error[doctor.unreachable]" in said.err) == (3, True)
    assert secret not in said.out + said.err
    assert sites.freehold("doctor", "--json").code == 3
    assert sites.freehold("sites").code == 0


def test_the_keys_of_a_store_are_made_used_added_and_rotated(sites: Any, tmp_path: Path) -> None:
    file = tmp_path / "store.key"
    said = sites.freehold("keys", "new", "--to", str(file), "--json")
    first = said.json["key"]
    assert (said.code, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600)
    made = file.read_bytes()
    said = sites.freehold("keys", "new", "--to", str(file), "--json")
    assert (said.code, said.json["error"]["code"]) == (1, "key.exists")
    assert file.read_bytes() == made

    declare(sites, tmp_path, onprem=f', encryption: "file:{file}"')
    assert sites.freehold("sync").code == 0
    (found,) = [
        one
        for one in sites.freehold("doctor", "--json").json["findings"]
        if one["check"] == "encryption"
    ]
    assert (found["standing"], first in found["what"]) == ("good", True)

    second = sites.freehold("keys", "add", str(file), "--yes", "--json").json["key"]
    assert second != first
    said = sites.freehold("keys", "rotate", "--yes", "--json")
    assert (said.code, said.json["key"]) == (0, second)
    assert said.json["rotated"] > 0 and said.json["current"] == 0
    again = sites.freehold("keys", "rotate", "--yes", "--json").json
    assert (again["rotated"], again["current"]) == (0, said.json["rotated"])
    secrets = [one["k"] for one in json.loads(file.read_bytes())["keys"]]
    spoken = sites.freehold("keys", "rotate", "--yes")
    assert not any(secret in spoken.out + spoken.err for secret in secrets)
    assert sites.freehold("sync").code == 0


def test_keys_that_are_not_there(sites: Any, refused: Callable[..., dict[str, Any]]) -> None:
    assert refused("keys", "rotate", "--yes")["code"] == "keys.not-encrypted"
    said = sites.freehold("keys", "add", "no.key", "--yes", "--json")
    assert (said.code, said.json["error"]["code"]) == (1, "keys.missing")
