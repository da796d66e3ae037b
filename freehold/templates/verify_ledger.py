"""Verify an exported history with nothing of Freehold's: python verify_ledger.py FOLDER"""

import json
import sys
from functools import reduce
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

folder = Path(sys.argv[1])
public = serialization.load_pem_public_key((folder / "site.pub").read_bytes())
entries = (folder / "entries.jsonl").read_bytes().split(b"\n")[:-1]
size, root, peaks = 0, sha256(b"").hexdigest(), []  # RFC 6962: roots of the perfect subtrees
for number, line in enumerate((folder / "checkpoints.jsonl").read_bytes().splitlines(), 1):
    try:
        signed = json.loads(line)
        leaves = [bytes.fromhex(leaf) for leaf in signed.pop("leaves")]
        signature = bytes.fromhex(signed.pop("signature"))
        body = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        public.verify(signature, body.encode(), ec.ECDSA(hashes.SHA256()))
    except (ValueError, KeyError, TypeError, InvalidSignature) as exc:
        sys.exit(f"checkpoints.jsonl line {number} is not signed: {exc!r}")
    for count, leaf in enumerate(leaves, size + 1):
        peaks.append(leaf)
        while count % 2 == 0:
            peaks[-2:] = [sha256(b"\x01" + peaks[-2] + peaks[-1]).digest()]
            count //= 2
    root = reduce(lambda top, peak: sha256(b"\x01" + peak + top).digest(), peaks[::-1]).hex()
    if (root, size + len(leaves)) != (signed["root"], signed["size"]):
        sys.exit(f"checkpoints.jsonl line {number}: its leaves do not give its root")
    for leaf in leaves:
        size += 1
        if size > len(entries) or sha256(b"\x00" + entries[size - 1]).digest() != leaf:
            sys.exit(f"entries.jsonl line {size} is not what was signed")
if size != len(entries):
    sys.exit(f"entries.jsonl line {size + 1} is covered by no checkpoint")
print(f"size {size} root {root}")
