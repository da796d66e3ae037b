"""What `freehold doctor` says of the end of keys and of tokens, which real key services tell."""

from pathlib import Path
from typing import Any

import boto3
import pytest
from servers.s3 import MotoServer
from servers.vault import BaoServer

from freehold.app.site.health.finding import Finding
from freehold.app.site.health.stores import examine_store
from freehold.app.site.health.waiting import Patience
from freehold.app.site.opening import wall_clock
from freehold.domain.project import StoreSpec

PATIENCE = Patience(first=20.0, whole=60.0)
DAY = 86_400
REGION = "us-east-1"


def found(folder: Path, encryption: str, environment: dict[str, str]) -> dict[str, Finding]:
    """By check; those of the store itself are left out."""
    spec = StoreSpec(f"file://{folder}/store", region=REGION, encryption=encryption)
    named = {f"FREEHOLD_AWS_KEY_{name}": value for name, value in environment.items()}
    findings = examine_store("aws", spec, wall_clock, PATIENCE, named).findings
    assert not any(environment.get("TOKEN", "no token") in str(one) for one in findings)
    wanted = [one for one in findings if one.check in ("encryption", "expiry", "token")]
    assert len({one.check for one in wanted}) == len(wanted)
    return {one.check: one for one in wanted}


class TestTokens:
    @pytest.fixture(autouse=True)
    def _key(self, bao: BaoServer, tmp_path: Path) -> None:
        self.bao, self.folder = bao, tmp_path
        self.name = bao.key()

    def rights(self) -> dict[str, list[str]]:
        uses = {"keys": "read", "encrypt": "update", "decrypt": "update"}
        return {f"transit/{use}/{self.name}": [right] for use, right in uses.items()}

    def by(self, token: str) -> dict[str, Finding]:
        environment = {"ENDPOINT": self.bao.endpoint, "TOKEN": token}
        return found(self.folder, f"vault:{self.name}", environment)

    def test_one_that_ends_soon(self) -> None:
        told = self.by(self.bao.token_for(self.rights(), seconds=3 * DAY))
        assert told.keys() == {"encryption", "expiry"}
        assert told["encryption"].standing == "good"
        expiry = told["expiry"]
        assert (expiry.standing, expiry.about) == ("warning", "aws")
        assert expiry.what == f"the token for the transit key {self.name} ends in 3 days"
        assert expiry.why.startswith("expire_time=20")
        assert expiry.hint.startswith("renew it")
        assert 2 * DAY < (expiry.figures["left_seconds"] or 0) <= 3 * DAY

    def test_one_that_lasts_a_month(self) -> None:
        told = self.by(self.bao.token_for(self.rights(), seconds=30 * DAY))
        assert {check: one.standing for check, one in told.items()} == {
            "encryption": "good",
            "expiry": "good",
        }
        assert told["expiry"].what.endswith("ends in 30 days")

    def test_one_that_never_ends(self) -> None:
        assert self.by(self.bao.token).keys() == {"encryption"}

    def test_one_that_was_taken_back(self) -> None:
        token = self.bao.token_for(self.rights())
        self.bao.client.auth.token.revoke(token)
        told = self.by(token)
        assert (told["encryption"].standing, told["expiry"].standing) == ("bad", "warning")
        assert "renew the token" in told["encryption"].hint

    def test_one_that_may_not_ask(self) -> None:
        told = self.by(self.bao.token_for(self.rights(), no_default_policy=True))
        assert told["encryption"].standing == "good"
        assert told["expiry"].standing == "warning"
        assert "is not known" in told["expiry"].what
        assert "auth/token/lookup-self" in told["expiry"].hint

    def test_where_nobody_answers_it_is_said_once(self) -> None:
        environment = {"ENDPOINT": "http://127.0.0.1:9", "TOKEN": "t0ken-bytes"}
        told = found(self.folder, f"vault:{self.name}", environment)
        assert told.keys() == {"encryption", "token"}
        assert told["encryption"].unreachable
        assert told["token"].why == "FREEHOLD_AWS_KEY_TOKEN is set"


class TestKeys:
    @pytest.fixture
    def kms(self, moto: MotoServer) -> Any:
        client = boto3.client(
            "kms",
            endpoint_url=moto.endpoint,
            region_name=REGION,
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        yield client
        client.close()

    def test_one_that_waits_for_its_deletion(
        self, moto: MotoServer, kms: Any, tmp_path: Path
    ) -> None:
        environment = {"ENDPOINT": moto.endpoint, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}
        made = kms.create_key()["KeyMetadata"]
        assert found(tmp_path, f"kms:{made['Arn']}", environment).keys() == {"encryption"}
        kms.schedule_key_deletion(KeyId=made["KeyId"], PendingWindowInDays=30)
        expiry = found(tmp_path, f"kms:{made['Arn']}", environment)["expiry"]
        assert expiry.standing == "bad"
        assert made["Arn"] in expiry.what
        assert expiry.what.endswith("and then nobody can ever read what it encrypted")
        assert "DeletionDate=" in expiry.why
        assert "aws kms cancel-key-deletion" in expiry.hint

    def test_a_session_that_only_its_maker_knows_the_end_of(
        self, moto: MotoServer, kms: Any, tmp_path: Path
    ) -> None:
        environment = {
            "ENDPOINT": moto.endpoint,
            "ACCESS_KEY_ID": "a",
            "SECRET_ACCESS_KEY": "b",
            "SESSION_TOKEN": "t0ken-bytes",
        }
        told = found(tmp_path, f"kms:{kms.create_key()['KeyMetadata']['Arn']}", environment)
        assert told.keys() == {"encryption", "token"}
        assert told["token"].standing == "warning"
