"""Runs once, while the image is built: what a read-only image cannot do when it grades.

It compiles to bytecode, which nobody may write later, and gives every file the same permissions
and the same date, so that two builds are alike.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from py_compile import PycInvalidationMode, compile

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

COURSE = Path("/course")  # becomes readable by root and the grader's group alone
PUBLIC = Path("/build/public")  # becomes the image's root, beside what the base holds
ENVIRONMENT = Path(sys.prefix)
DATE = 315532800  # 1980-01-01, the first day that a zip file can name
NEEDLESS = {
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "lib2to3",
    "pydoc_data",
}
# The source is never looked at again: nothing in the image changes.
COMPILE = {"quiet": 2, "invalidation_mode": PycInvalidationMode.UNCHECKED_HASH}


def main() -> None:
    """Prepare the course, the packages and Python's library for a read-only image."""
    _register_course()
    # The base must bring libseccomp and what wheels link to: find out now, not when grading.
    subprocess.run([sys.executable, "-B", "-c", "import autograder.single, pyseccomp"], check=True)
    compileall.compile_dir(COURSE, **COMPILE)
    compileall.compile_dir(ENVIRONMENT, **COMPILE)
    _compile_library(Path(sysconfig.get_path("stdlib")))
    shutil.move(ENVIRONMENT, PUBLIC / ENVIRONMENT.relative_to("/"))
    _settle(PUBLIC, folder=0o755, file=0o644)
    _settle(COURSE, folder=0o750, file=0o640)


def _register_course() -> None:
    """Let Python find the course and its version, as `pip install -e .` would."""
    packages = Path(sysconfig.get_path("purelib"))
    (packages / "course.pth").write_text(f"{COURSE}\n", encoding="ascii")
    project = tomllib.loads((COURSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = project["name"], project["version"]
    folder = packages / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (folder / "METADATA").write_text(metadata, encoding="ascii")


def _compile_library(library: Path) -> None:
    """Compile Python's own modules, which the base holds as text, into the public tree."""
    for source in sorted(library.rglob("*.py")):
        inside = source.relative_to(library)
        if NEEDLESS.isdisjoint(inside.parts) and not inside.parts[0].endswith("-packages"):
            folder = PUBLIC / source.relative_to("/").parent / "__pycache__"
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{source.stem}.{sys.implementation.cache_tag}.pyc"
            compile(str(source), str(folder / name), **COMPILE)


def _settle(top: Path, folder: int, file: int) -> None:
    """Give all below `top` one owner, one date and these permissions; programs stay programs."""
    for path in [top, *top.rglob("*")]:
        if not path.is_symlink():
            runs = not path.is_dir() and path.stat().st_mode & 0o100
            path.chmod(folder if path.is_dir() or runs else file)
        os.chown(path, 0, 0, follow_symlinks=False)
    for path in [*top.rglob("*"), top]:
        os.utime(path, (DATE, DATE), follow_symlinks=False)


if __name__ == "__main__":
    main()
