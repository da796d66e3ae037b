"""How much memory a process had at most."""

import re
from pathlib import Path

STATUS = "/proc/{}/status"


def peak_bytes(process: int | str = "self") -> int:
    """Resident, since its program was started. `getrusage` would count what the process had before
    it became this program: that of whoever started it. Linux only."""
    status = Path(STATUS.format(process))
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{status} does not say VmHWM")
    return int(found[1]) * 1024
