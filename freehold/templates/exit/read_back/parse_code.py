"""Parse the project's Python and YAML: python parse_code.py FOLDER"""

import ast
import json
import sys
from pathlib import Path

import yaml


def imports_freehold(tree):
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return any(name.partition(".")[0] == "freehold" for name in names)


def counted(number, word):
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def read(folder):
    faults, modules, documents, bound = [], 0, 0, []
    for path in sorted((folder / "code").rglob("*")):
        name = path.relative_to(folder).as_posix()
        try:
            if path.suffix == ".py":
                modules += 1
                if imports_freehold(ast.parse(path.read_bytes())):
                    bound.append(path.name)
            elif path.suffix in (".yaml", ".yml"):
                documents += 1
                list(yaml.safe_load_all(path.read_bytes()))
        except (SyntaxError, ValueError, yaml.YAMLError) as error:
            faults.append(f"{name}: {str(error).splitlines()[0]}")
    not_proven = []
    if bound:
        not_proven.append(
            f"run without Freehold: {', '.join(bound)} import its decorators, which have to be"
            " replaced by another engine's"
        )
    return {
        "read_by": [f"Python {sys.version.split()[0]}", f"PyYAML {yaml.__version__}"],
        "checks": modules + documents,
        "figures": f"{counted(modules, 'module')}, {counted(documents, 'YAML file')}",
        "faults": faults,
        "not_proven": not_proven,
    }


if __name__ == "__main__":
    report = read(Path(sys.argv[1]))
    print(json.dumps(report))
    sys.exit(bool(report["faults"]))
