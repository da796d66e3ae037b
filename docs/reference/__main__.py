"""Write the reference, or check that it is what the code says: `--write` or `--check`."""

import sys
from pathlib import Path

from docs.reference import adapters, commands, errors, facts, settings, stores

FOLDER = Path(__file__).parent
NOTICE = "<!-- Made by `python -m docs.reference --write` from the code. Do not edit. -->"
PAGES = {
    "commands.md": commands.page,
    "settings.md": settings.page,
    "errors.md": errors.page,
    "adapters.md": adapters.page,
    "facts.md": facts.page,
    "stores.md": stores.page,
}


def main(arguments: list[str]) -> int:
    if arguments not in (["--check"], ["--write"]):
        print("usage: python -m docs.reference --check | --write", file=sys.stderr)
        return 2
    old = []
    for name, page in PAGES.items():
        path, text = FOLDER / name, f"{NOTICE}\n\n{page()}"
        if path.exists() and path.read_text() == text:
            continue
        old.append(name)
        if arguments == ["--write"]:
            path.write_text(text)
    if arguments == ["--check"] and old:
        print(f"out of date: {', '.join(old)}", file=sys.stderr)
        print("run `python -m docs.reference --write` and commit", file=sys.stderr)
        return 1
    return 0


sys.exit(main(sys.argv[1:]))
