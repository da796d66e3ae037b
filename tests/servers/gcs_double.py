"""A double of Google Cloud Storage: the few calls of its JSON API that the adapter makes.

It keeps what the emulator ignores, generations with `ifGenerationMatch` and pages of a listing, as
the vendor's reference describes them (cloud.google.com/storage/docs/json_api/v1). It was written
here, so that it shows what the adapter does with such answers, and nothing of the service itself.

A program: `python gcs_double.py PORT`.
"""

import base64
import hashlib
import itertools
import json
import re
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PAGE = 1000
"""Most names in one answer, as the service has it."""
COMPOSED = 32


@dataclass(frozen=True)
class Stored:
    data: bytes
    generation: int
    told: dict[str, Any]
    """What the writer said of it."""


@dataclass
class Service:
    buckets: dict[str, dict[str, Stored]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held from a condition to what follows it."""
    generations: Any = field(default_factory=lambda: itertools.count(1_700_000_000_000_000))


class Refused(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: Service

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        self.asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            for (method, pattern), act in ROUTES.items():
                found = re.fullmatch(pattern, url.path)
                if method == self.command and found:
                    act(self, body, *map(unquote, found.groups()))
                    return
            raise Refused(501)
        except Refused as refused:
            error = {"error": {"code": refused.status, "message": "refused by the double"}}
            self.tell(refused.status, json.dumps(error).encode())

    def tell(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in (headers or {"Content-Type": "application/json"}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def tell_of(self, bucket: str, name: str, stored: Stored) -> None:
        resource = {
            "name": name,
            "bucket": bucket,
            "generation": str(stored.generation),
            "metageneration": "1",
            "size": str(len(stored.data)),
            "contentType": stored.told.get("contentType"),
            "metadata": stored.told.get("metadata"),
        }
        self.tell(200, json.dumps(resource).encode())

    def objects(self, bucket: str) -> dict[str, Stored]:
        found = self.service.buckets.get(bucket)
        if found is None:
            raise Refused(404)
        return found

    def check(self, stored: Stored | None) -> None:
        """Of the condition of this request; generation 0 is that of what is absent."""
        wanted = self.asked.get("ifGenerationMatch")
        if wanted is not None and int(wanted) != (stored.generation if stored else 0):
            raise Refused(412)

    def current(self, bucket: str, name: str) -> Stored:
        stored = self.objects(bucket).get(name)
        if stored is None:
            raise Refused(404)
        self.check(stored)
        return stored

    def keep(self, bucket: str, name: str, data: bytes, told: dict[str, Any]) -> None:
        """Within the lock."""
        objects = self.objects(bucket)
        self.check(objects.get(name))
        objects[name] = Stored(data, next(self.service.generations), told)

    def make_bucket(self, body: bytes) -> None:
        name = json.loads(body)["name"]
        with self.service.lock:
            self.service.buckets.setdefault(name, {})
        self.tell(200, json.dumps({"name": name}).encode())

    def insert(self, body: bytes, bucket: str) -> None:
        if self.asked.get("uploadType") != "multipart":
            raise Refused(501)
        told, data = parts_of(body, str(self.headers.get_boundary()))
        with self.service.lock:
            self.keep(bucket, told["name"], data, told)
            stored = self.objects(bucket)[told["name"]]
        self.tell_of(bucket, told["name"], stored)

    def compose(self, body: bytes, bucket: str, name: str) -> None:
        asked = json.loads(body)
        if len(asked["sourceObjects"]) > COMPOSED:
            raise Refused(400)
        with self.service.lock:
            objects = self.objects(bucket)
            sources = [objects.get(source["name"]) for source in asked["sourceObjects"]]
            if None in sources:
                raise Refused(404)
            data = b"".join(source.data for source in sources if source)
            self.keep(bucket, name, data, asked.get("destination", {}))
            stored = objects[name]
        self.tell_of(bucket, name, stored)

    def describe(self, _: bytes, bucket: str, name: str) -> None:
        with self.service.lock:
            stored = self.current(bucket, name)
        self.tell_of(bucket, name, stored)

    def download(self, _: bytes, bucket: str, name: str) -> None:
        with self.service.lock:
            stored = self.current(bucket, name)
        data, size = stored.data, len(stored.data)
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Goog-Generation": str(stored.generation),
            "X-Goog-Hash": f"md5={base64.b64encode(hashlib.md5(data).digest()).decode()}",
        }
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if found is None:
            self.tell(200, data, headers)
            return
        start = int(found[1])
        if start >= size:
            raise Refused(416)
        part = data[start : int(found[2]) + 1 if found[2] else size]
        headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{size}"
        self.tell(206, part, headers)

    def delete(self, _: bytes, bucket: str, name: str) -> None:
        with self.service.lock:
            self.current(bucket, name)
            del self.objects(bucket)[name]
        self.tell(204)

    def listing(self, _: bytes, bucket: str) -> None:
        prefix, start = self.asked.get("prefix", ""), self.asked.get("startOffset", "")
        last = base64.urlsafe_b64decode(self.asked.get("pageToken", "")).decode()
        count = min(int(self.asked.get("maxResults", PAGE)), PAGE)
        with self.service.lock:
            names = sorted(
                name
                for name in self.objects(bucket)
                if name.startswith(prefix) and name >= start and name > last
            )
        page: dict[str, Any] = {"items": [{"name": name} for name in names[:count]]}
        if len(names) > count:
            page["nextPageToken"] = base64.urlsafe_b64encode(names[count - 1].encode()).decode()
        self.tell(200, json.dumps(page).encode())


_BUCKET = r"/storage/v1/b/([^/]+)/o"
ROUTES: dict[tuple[str, str], Any] = {
    ("POST", r"/storage/v1/b"): Handler.make_bucket,
    ("POST", f"/upload{_BUCKET}"): Handler.insert,
    ("POST", rf"{_BUCKET}/([^/]+)/compose"): Handler.compose,
    ("GET", _BUCKET): Handler.listing,
    ("GET", rf"{_BUCKET}/([^/]+)"): Handler.describe,
    ("GET", rf"/download{_BUCKET}/([^/]+)"): Handler.download,
    ("DELETE", rf"{_BUCKET}/([^/]+)"): Handler.delete,
}


def parts_of(body: bytes, boundary: str) -> tuple[dict[str, Any], bytes]:
    """Of a `multipart/related` upload (RFC 2387): what is said of the object, and its bytes."""
    line = b"\r\n--" + boundary.encode()
    told, _, rest = body.partition(b"\r\n\r\n")[2].partition(line)
    data = rest.partition(b"\r\n\r\n")[2]
    return json.loads(told), data[: data.rindex(line + b"--")]


for verb in ("DELETE", "GET", "POST"):
    setattr(Handler, f"do_{verb}", Handler.answer)


class Listener(ThreadingHTTPServer):
    request_queue_size = 128


if __name__ == "__main__":
    Handler.service = Service()
    Listener(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
