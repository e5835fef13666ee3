"""mypy over the package, held to a baseline that only shrinks: `python -m tests.support.types [--shrink]`.

mypy reads the package through a folder of links, `build/types/zkmargin`, since the package's folders lie at the top of
the repository. `tests/support/type_errors.json` counts the errors that are left, by file and kind; a file that is not
named there has none. `--shrink` lowers the counts to what mypy finds, and never raises one.
"""

import argparse
import json
import re
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from mypy import api

ROOT = Path(__file__).parents[2]
LINKS = ROOT / "build/types/zkmargin"
BASELINE = Path(__file__).with_name("type_errors.json")
ERROR = re.compile(r".*build/types/zkmargin/(?P<file>[^:]+):\d+: error: .*\[(?P<kind>[a-z-]+)\]$")
Kind = tuple[str, str]
"""File, from the repository's top, and mypy's name for the kind of error."""


def link_package() -> None:
    """Makes the folder of links again: the package's own files, and each folder of it."""
    shutil.rmtree(LINKS, ignore_errors=True)
    LINKS.mkdir(parents=True)
    folders = {file.parent for file in ROOT.glob("*/__init__.py")} - {ROOT / "tests", ROOT / "zkmargin"}
    for target in sorted([*folders, *(ROOT / "zkmargin").glob("[!_]*"), ROOT / "zkmargin/__init__.py"]):
        (LINKS / target.name).symlink_to(Path("../../..") / target.relative_to(ROOT))


def read_errors(output: str) -> dict[Kind, list[str]]:
    """mypy's lines by file and kind, with paths from the repository's top."""
    errors: dict[Kind, list[str]] = defaultdict(list)
    for line in output.splitlines():
        if found := ERROR.match(line):
            file = found["file"] if "/" in found["file"] else f"zkmargin/{found['file']}"
            errors[file, found["kind"]].append(file + line[found.end("file") :])
    return dict(errors)


def find_new(errors: Mapping[Kind, list[str]], allowed: Mapping[Kind, int]) -> list[str]:
    """Lines of the kinds that stand in their file more often than the baseline allows."""
    return [line for kind, lines in sorted(errors.items()) if len(lines) > allowed.get(kind, 0) for line in lines]


def find_cured(errors: Mapping[Kind, list[str]], allowed: Mapping[Kind, int]) -> dict[Kind, int]:
    """What the baseline allows and mypy no longer finds."""
    return {
        kind: count
        for kind, allowed_count in allowed.items()
        if (count := allowed_count - len(errors.get(kind, ()))) > 0
    }


def load_baseline() -> dict[Kind, int]:
    """Number of errors by file and kind."""
    counts = json.loads(BASELINE.read_text())
    return {(file, kind): count for file, kinds in counts.items() for kind, count in kinds.items()}


def write_baseline(allowed: Mapping[Kind, int]) -> None:
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for (file, kind), count in sorted(allowed.items()):
        if count:
            counts[file][kind] = count
    BASELINE.write_text(
        "{\n" + ",\n".join(f"  {json.dumps(file)}: {json.dumps(counts[file])}" for file in counts) + "\n}\n"
    )


def run_mypy() -> str:
    """mypy's lines.

    Raises
    ------
    SystemExit
        If mypy itself fails, with what it says.
    """
    link_package()
    output, trouble, status = api.run(["--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary"])
    if status not in (0, 1) or trouble:
        raise SystemExit(trouble or output)
    return output


def count_by_folder(allowed: Mapping[Kind, int]) -> Counter[str]:
    return sum((Counter({file.split("/")[0]: count}) for (file, _), count in allowed.items()), Counter())


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 1 if a file has more errors of a kind than the baseline allows, or fewer, which it then must say."""
    parser = argparse.ArgumentParser(prog="tests.support.types", description="Check the package's types.")
    parser.add_argument("--shrink", action="store_true", help="take errors that are cured out of the baseline")
    shrink = parser.parse_args(arguments).shrink
    allowed, errors = load_baseline(), read_errors(run_mypy())
    new, cured = find_new(errors, allowed), find_cured(errors, allowed)
    if shrink:
        write_baseline({kind: count - cured.get(kind, 0) for kind, count in allowed.items()})
    elif cured:
        print(f"{sum(cured.values())} errors fewer than the baseline allows: python -m tests.support.types --shrink")
        print("".join(f"  {file}: {count} [{kind}]\n" for (file, kind), count in sorted(cured.items())), end="")
    print(*new, sep="\n", end="\n" if new else "")
    left = count_by_folder({kind: len(lines) for kind, lines in errors.items()})
    print("types:", ", ".join(f"{folder} {count}" for folder, count in sorted(left.items())) or "no errors")
    return int(bool(new) or (bool(cured) and not shrink))


if __name__ == "__main__":
    sys.exit(main())
