"""Every reader that is fuzzed, by name."""

from .connections import CONNECTIONS
from .documents import DOCUMENTS
from .http2 import HTTP2
from .law import Target
from .messages import MESSAGES
from .planted import PLANTED
from .requests import REQUESTS

TARGETS: dict[str, Target] = {**REQUESTS, **MESSAGES, **CONNECTIONS, **HTTP2, **DOCUMENTS}
ALL = {**TARGETS, **PLANTED}
"""With those that are wrong on purpose."""
