"""How much memory this process had at most."""

import re
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """Resident, since this program was started. `getrusage` would count what the process had before
    it became this program: that of whoever started it. Linux only."""
    found = re.search(r"^VmHWM:\s*(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{STATUS} does not say VmHWM")
    return int(found[1]) * 1024
