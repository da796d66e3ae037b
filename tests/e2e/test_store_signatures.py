"""What the fronts of stores in `examples/three-sites` let through: what was signed."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "three-sites"))

from signatures import Signatures

URL = "https://10.0.0.1:9443/bucket/a%2Bb/c?list-type=2&prefix=x%2Fy"
SECRET = "a-secret-of-the-test"


def signed(secret: str = SECRET, method: str = "PUT", body: bytes = b"hello") -> AWSRequest:
    headers = {"host": "10.0.0.1:9443", "x-amz-meta-a": "1"}
    request = AWSRequest(method, URL, data=body, headers=headers)
    S3SigV4Auth(Credentials("WHO", secret), "s3", "us-east-1").add_auth(request)
    return request


def refusal(
    request: AWSRequest, body: bytes = b"hello", late: timedelta = timedelta(), **other: str
) -> str:
    headers = {name.lower(): value for name, value in request.headers.items()}
    target = str(request.url).removeprefix("https://10.0.0.1:9443")
    headers |= {name.replace("_", "-"): value for name, value in other.items()}
    now = datetime.now(UTC) + late
    return Signatures("WHO", SECRET).refusal(request.method, target, headers, body, now)


def test_what_was_signed_passes_and_nothing_else_does() -> None:
    assert refusal(signed()) == ""
    assert "not signed" in refusal(AWSRequest("PUT", URL, headers={"host": "10.0.0.1:9443"}))
    assert "not by a key" in refusal(signed("another"))
    assert "body" in refusal(signed(), body=b"hullo")
    assert "now" in refusal(signed(), late=timedelta(minutes=16))
    assert "now" in refusal(signed(), late=-timedelta(minutes=16))
    assert "every x-amz header" in refusal(signed(), x_amz_copy_source="/bucket/other")
    assert "not by a key" in refusal(signed(), x_amz_meta_a="2")
    assert "AWS4" in refusal(signed(), authorization="Bearer a")
    for change in ("prefix=x%2Fz", "prefix=x%2Fy&max-keys=1"):
        request = signed()
        request.url = URL.replace("prefix=x%2Fy", change)
        assert "not by a key" in refusal(request)
    request = signed()
    request.method = "DELETE"
    assert "not by a key" in refusal(request)


def test_more_escapes_than_were_signed_are_the_same_address() -> None:
    request = signed()
    request.url = URL.replace("list-type", "list%2Dtype").replace("prefix=x", "prefix=%78")
    assert refusal(request) == ""


def test_a_url_that_was_lent_holds_for_as_long_as_it_says() -> None:
    request = AWSRequest("GET", URL, headers={"host": "10.0.0.1:9443"})
    S3SigV4QueryAuth(Credentials("WHO", SECRET), "s3", "us-east-1", expires=60).add_auth(request)
    assert refusal(request) == ""
    assert "now" in refusal(request, late=timedelta(seconds=90))
    request.url = str(request.url).replace("X-Amz-Expires=60", "X-Amz-Expires=600")
    assert "not by a key" in refusal(request)
