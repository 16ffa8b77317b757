"""Writes requirements.lock beside this file: the part of the course's lock that the image needs.

python -m autograder.image.lock [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from autograder.errors import GraderError

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"
WHOLE = HERE.parents[1] / "requirements.lock"
# Each is imported when the grader's commands run in the image, which a test sees to; `otter` marks
# what otter's test files, results and configuration import, by themselves or by way of each other.
PACKAGES = """
    numpy click rich pygments filelock jinja2 markupsafe pyseccomp python-ulid tomli
    jsonschema jsonschema-specifications referencing rpds-py attrs typing-extensions
    otter-grader fica python-frontmatter pyyaml nbformat fastjsonschema traitlets ipython
""".split()
HEADER = """\
# What the image installs: entries of the course's requirements.lock, without their dependencies.
# Made by: python -m autograder.image.lock
"""
ENTRY = re.compile(r"^(?P<name>[a-z0-9.-]+)==.*(?:\n    --hash=.*)+\n", re.MULTILINE)


def lock() -> str:
    """Return the lock of the image; GraderError names a package that the whole lock has not."""
    entries = [(m["name"], m[0]) for m in ENTRY.finditer(WHOLE.read_text(encoding="utf-8"))]
    missing = sorted(set(PACKAGES) - {name for name, _ in entries})
    if missing:
        raise GraderError(f"{WHOLE.name} has no entry for {', '.join(missing)}")
    return HEADER + "".join(text for name, text in entries if name in PACKAGES)


def main(arguments: list[str]) -> int:
    """Write the lock, or say with `--check` that it has drifted; return the exit code."""
    if arguments != ["--check"]:
        LOCK.write_text(lock(), encoding="utf-8")
        return 0
    if LOCK.is_file() and LOCK.read_text(encoding="utf-8") == lock():
        return 0
    print(f"{LOCK.name} has drifted: run `python -m autograder.image.lock`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
