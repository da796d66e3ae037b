"""Run a script where Freehold cannot be had: python -I without_freehold.py SCRIPT FOLDER

Importing `freehold` fails, whether it is installed or not, and no file of an installed Freehold
can be opened. What the script prints is one JSON object; how it was kept alone is added to it.
"""

import contextlib
import importlib.util
import io
import json
import os
import runpy
import sys

NAME = "freehold"


class Refusal:
    """Stands before every other finder of modules."""

    def find_spec(self, name, *_):
        if name.partition(".")[0] == NAME:
            raise ModuleNotFoundError(f"{name} is refused here", name=name)


def refuse_files(folders):
    roots = tuple(os.path.realpath(folder) + os.sep for folder in folders)

    def hook(event, arguments):
        if event != "open" or not isinstance(arguments[0], str):
            return
        if roots and os.path.realpath(arguments[0]).startswith(roots):
            raise PermissionError(f"a file of Freehold's: {arguments[0]}")

    sys.addaudithook(hook)


def main(script, folder):
    found = importlib.util.find_spec(NAME)  # looks; imports nothing
    refuse_files(found.submodule_search_locations or () if found else ())
    sys.meta_path.insert(0, Refusal())
    try:
        __import__(NAME)
    except ModuleNotFoundError:
        pass
    else:
        sys.exit("freehold can be imported: nothing would be proven")
    sys.argv = [script, folder]
    said, report = io.StringIO(), {}
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(script, run_name="__main__")
    except SystemExit:
        report = json.loads(said.getvalue().splitlines()[-1])
    except ModuleNotFoundError as error:
        report = {"missing": error.name}
    report["alone"] = {
        "python": sys.version.split()[0],
        "flags": [flag for flag in ("isolated", "dont_write_bytecode") if getattr(sys.flags, flag)],
        "freehold_installed": found is not None,
        "freehold_modules": sorted(one for one in sys.modules if one.partition(".")[0] == NAME),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
