"""`python -m freehold.endpoint FOLDER`: one line of JSON on stdout says the URL, or the error."""

import argparse
import json
from pathlib import Path

from freehold.domain.errors import FreeholdError
from freehold.endpoint.process import serve
from freehold.endpoint.settings import HOST, PORT, RUNTIME, EndpointSettings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m freehold.endpoint", description=__doc__)
    parser.add_argument("folder", type=Path, help="the serving folder")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--runtime", default=RUNTIME)
    given = parser.parse_args()
    settings = EndpointSettings(given.folder, given.host, given.port, given.runtime)
    try:
        serve(settings, lambda url: print(json.dumps({"url": url}), flush=True))
    except FreeholdError as exc:
        print(json.dumps(exc.as_json()), flush=True)
        return exc.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
