"""Verify each log, that a flipped bit in it is found, and each attachment.

python verify_history.py FOLDER
"""

import json
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import cryptography


def verified(folder):
    """By the forty lines that lie beside the log."""
    script = Path(folder) / "verify_ledger.py"
    return subprocess.run(
        [sys.executable, "-I", str(script), str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )


def finds_a_flipped_bit(folder):
    with TemporaryDirectory() as place:
        copy = Path(place) / "log"
        shutil.copytree(folder, copy)
        data = bytearray((copy / "entries.jsonl").read_bytes())
        data[len(data) // 2] ^= 1
        (copy / "entries.jsonl").write_bytes(bytes(data))
        done = verified(copy)
    return done.returncode != 0 and "entries.jsonl line" in done.stderr


def check_log(folder, log):
    place = folder / log["folder"]
    done = verified(place)
    said = done.stdout.split()
    if done.returncode or said[:1] != ["size"]:
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    if int(said[1]) != log["entries"]:
        return f"{said[1]} entries, and {log['entries']} are known"
    if log["entries"] and not finds_a_flipped_bit(place):
        return "a flipped bit was not found"
    return ""


def attachment_faults(folder, attachments):
    for one in attachments:
        digest = one["attachment"].removeprefix("salted-sha256:")
        if one["erased"]:
            if (folder / "history" / "attachments" / digest).exists():
                yield f"attachment {digest} is here, though it was erased"
        elif sha256((folder / one["path"]).read_bytes()).hexdigest() != digest:
            yield f"attachment {digest} is not what the history names"


def counted(number, word):
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def read(folder):
    logs = json.loads((folder / "history" / "index.json").read_bytes())
    attachments = json.loads((folder / "history" / "attachments" / "index.json").read_bytes())
    faults = [f"{log['writer']}: {wrong}" for log in logs if (wrong := check_log(folder, log))]
    faults += attachment_faults(folder, attachments)
    entries = sum(log["entries"] for log in logs)
    erased = sum(one["erased"] for one in attachments)
    return {
        "read_by": [f"verify_ledger.py (cryptography {cryptography.__version__})"],
        "checks": len(logs),
        "figures": f"{counted(len(logs), 'log')} of {entries:,} entries, a flipped bit found in"
        f" each; {counted(len(attachments) - erased, 'attachment')}, {erased:,} erased",
        "faults": faults,
    }


if __name__ == "__main__":
    report = read(Path(sys.argv[1]))
    print(json.dumps(report))
    sys.exit(bool(report["faults"]))
