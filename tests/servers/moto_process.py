"""moto's S3, whose compare and write are one step: `python moto_process.py HOST PORT`.

moto looks at If-Match and If-None-Match, and writes after it: of two writers at once both may be
told that theirs was the one. It is rare, and no store does so whose conditions hold. The lock is
taken when a body has come, so that a slow writer keeps nobody waiting.
"""

import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from moto.s3.responses import S3Response
from moto.server import main

WRITES = ("put_object", "delete_object", "_key_response_post")
one_at_a_time = threading.RLock()


def alone(write: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(write)
    def guarded(*arguments: Any, **named: Any) -> Any:
        with one_at_a_time:
            return write(*arguments, **named)

    return guarded


if __name__ == "__main__":
    for name in WRITES:
        setattr(S3Response, name, alone(getattr(S3Response, name)))
    main(["-H", sys.argv[1], "-p", sys.argv[2]])
