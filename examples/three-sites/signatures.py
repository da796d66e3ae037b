"""Whether an S3 request was signed by who holds the secret key: AWS Signature Version 4, in the
Authorization header or in the URL, by computing it again with the vendor's own library."""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import parse_qsl, quote, unquote

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^,/]+)/(\d{8})/([^,/]+)/s3/aws4_request,\s*"
    r"SignedHeaders=([a-z0-9;_-]+),\s*Signature=([0-9a-f]{64})"
)
_TIME = "%Y%m%dT%H%M%SZ"
_SKEW = timedelta(minutes=15)
"""As the vendor's own service allows."""
_BODY_NOT_SIGNED = frozenset({"UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"})
"""TLS guards such a body; the other streaming modes sign each chunk, which nobody here uses."""


class Signatures:
    def __init__(self, access_key_id: str, secret_access_key: str) -> None:
        self._id = access_key_id
        self._credentials = Credentials(access_key_id, secret_access_key)

    def refusal(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> str:
        """Why the request is not to be answered; empty if it is. `target`: path and query as they
        came; `headers`: by names in small letters."""
        if "authorization" in headers:
            return self._by_header(method, target, headers, body, now)
        if "X-Amz-Signature=" in target:
            return self._by_query(method, target, headers, now)
        return "the request is not signed"

    def _by_header(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> str:
        found = _HEADER.fullmatch(headers["authorization"].strip())
        if found is None:
            return "the Authorization header is not of AWS4-HMAC-SHA256"
        key, day, region, names, signature = found.groups()
        payload = headers.get("x-amz-content-sha256", "")
        if payload not in _BODY_NOT_SIGNED and payload != sha256(body).hexdigest():
            return "the body is not the one that was signed"
        signed = {name: headers[name] for name in names.split(";") if name in headers}
        if not {"host", "x-amz-content-sha256", "x-amz-date", *_vendors(headers)} <= signed.keys():
            return "host, date, body and every x-amz header must be signed"
        stamp = headers["x-amz-date"]
        if fault := _late(stamp, day, now, _SKEW):
            return fault
        auth = S3SigV4Auth(self._credentials, "s3", region)
        request = AWSRequest(method, _url(headers["host"], target), headers=signed)
        return self._compared(auth, request, stamp, key, signature)

    def _by_query(self, method: str, target: str, headers: Mapping[str, str], now: datetime) -> str:
        path, _, query = target.partition("?")
        values = dict(parse_qsl(query, keep_blank_values=True))
        key, _, scope = values.get("X-Amz-Credential", "").partition("/")
        day, _, region = scope.removesuffix("/s3/aws4_request").partition("/")
        stamp, seconds = values.get("X-Amz-Date", ""), values.get("X-Amz-Expires", "")
        if not seconds.isdigit() or int(seconds) > 7 * 24 * 3600:
            return "the URL does not say how long it holds"
        if fault := _late(stamp, day, now, timedelta(seconds=int(seconds))):
            return fault
        names = values.get("X-Amz-SignedHeaders", "").split(";")
        signed = {name: headers[name] for name in names if name in headers}
        if not {"host", *_vendors(headers)} <= signed.keys():
            return "the host and every x-amz header must be signed"
        kept = [part for part in query.split("&") if not part.startswith("X-Amz-Signature=")]
        auth = S3SigV4QueryAuth(self._credentials, "s3", region)
        url = _url(headers["host"], f"{path}?{'&'.join(kept)}")
        request = AWSRequest(method, url, headers=signed)
        return self._compared(auth, request, stamp, key, values["X-Amz-Signature"])

    def _compared(
        self, auth: S3SigV4Auth, request: AWSRequest, stamp: str, key: str, signature: str
    ) -> str:
        request.context["timestamp"] = stamp
        wanted = auth.signature(
            auth.string_to_sign(request, auth.canonical_request(request)), request
        )
        known = hmac.compare_digest(key.encode(), self._id.encode())
        holds = hmac.compare_digest(signature.encode(), wanted.encode())
        return "" if known and holds else "the signature is not by a key that is known here"


def _url(host: str, target: str) -> str:
    """As the signature wants it: only what RFC 3986 reserves is escaped, and all of that. A client
    may send more escapes than it signs."""
    path, _, query = target.partition("?")
    parts = [
        "=".join(quote(unquote(side), safe="-_.~") for side in part.split("=", 1))
        for part in query.split("&")
    ]
    return f"https://{host}{quote(unquote(path), safe='/-_.~')}?{'&'.join(parts)}"


def _vendors(headers: Mapping[str, str]) -> set[str]:
    return {name for name in headers if name.startswith("x-amz-")}


def _late(stamp: str, day: str, now: datetime, after: timedelta) -> str:
    try:
        at = datetime.strptime(stamp, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return "the date of the request cannot be read"
    if not stamp.startswith(day) or not -_SKEW <= now - at <= after:
        return "the request was not signed now"
    return ""
