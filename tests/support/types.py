"""mypy over the package, which has no error: `python -m tests.support.types`.

mypy reads the package through a folder of links, `build/types/zkmargin`, since the package's folders lie at the top of
the repository.
"""

import re
import shutil
import sys
from pathlib import Path

from mypy import api

ROOT = Path(__file__).parents[2]
LINKS = ROOT / "build/types/zkmargin"
ERROR = re.compile(r".*build/types/zkmargin/(?P<where>.+: error: .*)$")


def link_package() -> None:
    """Makes the folder of links again: the package's own files, and each folder of it."""
    shutil.rmtree(LINKS, ignore_errors=True)
    LINKS.mkdir(parents=True)
    folders = {file.parent for file in ROOT.glob("*/__init__.py")} - {ROOT / "tests", ROOT / "zkmargin"}
    for target in sorted([*folders, *(ROOT / "zkmargin").glob("[!_]*"), ROOT / "zkmargin/__init__.py"]):
        (LINKS / target.name).symlink_to(Path("../../..") / target.relative_to(ROOT))


def read_errors(output: str) -> list[str]:
    """mypy's errors, with paths below the package."""
    return [found["where"] for line in output.splitlines() if (found := ERROR.match(line))]


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


def main() -> int:
    """Exit status: 1 if there is an error; each is printed."""
    errors = read_errors(run_mypy())
    print(*errors, f"types: {len(errors)} errors" if errors else "types: no errors", sep="\n")
    return int(bool(errors))


if __name__ == "__main__":
    sys.exit(main())
