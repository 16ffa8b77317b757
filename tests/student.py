"""A student's repository, as the template makes it, and the commands a student types there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from assignments.functions import blank
from autograder.template import export

ROOT = Path(__file__).resolve().parents[1]
IDENTITY = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "student",
    "GIT_AUTHOR_EMAIL": "student@example.org",
    "GIT_COMMITTER_NAME": "student",
    "GIT_COMMITTER_EMAIL": "student@example.org",
}


class StudentRepository:
    """The exported template, as one student has it."""

    def __init__(self, root: Path, env: dict[str, str] | None = None):
        """Make the repository at `root`; `env` replaces what git knows about the student."""
        self.root = root
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PYTEST_"))}
        self.env |= IDENTITY if env is None else env
        self.env |= {"PYTHONPATH": str(root), "COLUMNS": "100", "NO_COLOR": "1"}
        export(root)

    def tito(
        self, *arguments: str, cwd: Path | None = None, answer: str = "", **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Type `tito …` in the repository, or in the folder `cwd`, and `answer` what it asks."""
        run = subprocess.run(
            [sys.executable, "-m", "assignments.cli", *arguments],
            cwd=cwd or self.root,
            env=self.env | env,
            input=answer,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )
        run.stdout = re.sub(" +$", "", run.stdout, flags=re.MULTILINE)  # tables pad their lines
        return run

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run git as the student; return what it printed."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.root,
            env=self.env,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        return done.stdout.strip()

    def file(self, module: str) -> Path:
        """Where the student's `module` lies."""
        return self.root / "tinytorch" / f"{module}.py"

    def finish(self, *modules: str) -> None:
        """Do the work of `modules`, as the reference has it."""
        for module in modules:
            shutil.copy(ROOT / "tinytorch" / f"{module}.py", self.file(module))

    def write(self, module: str, **bodies: str) -> None:
        """Give functions of the student's `module` new bodies, as in relu="return x"."""
        text = self.file(module).read_text(encoding="utf-8")
        self.file(module).write_text(blank(text, bodies), encoding="utf-8")

    def change(self, module: str, old: str, new: str) -> None:
        """Replace the first `old` in the student's `module`."""
        text = self.file(module).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {module}.py"
        self.file(module).write_text(text.replace(old, new, 1), encoding="utf-8")


def environment(folder: Path) -> Path:
    """Make a virtual environment that has our pinned packages; return the folder of its `python`.

    They are shared, not installed: it takes a moment, and no network. `pip install` works in it
    for a package whose requirements are all there, which proves that the pins are ours.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (own,) = folder.glob("lib/python*/site-packages")
    (own / "shared.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    settings = "[install]\nno-index = true\nno-build-isolation = false\n"  # false turns it off
    (folder / "pip.conf").write_text(settings, encoding="utf-8")
    return folder / "bin"
