"""A student's repository, as the template makes it, and the commands a student types there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

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
    """One clone of the exported template."""

    def __init__(self, root: Path, env: dict[str, str] | None = None):
        """Clone the template to `root`; `env` replaces what git knows about the student."""
        self.root = root
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PYTEST_"))}
        self.env |= IDENTITY if env is None else env
        self.env |= {"PYTHONPATH": str(root), "COLUMNS": "100", "NO_COLOR": "1"}
        shutil.copytree(_template(), root)

    def tito(
        self, *arguments: str, cwd: Path | None = None, answer: str = "", **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Type `tito …` in the repository, or in the folder `cwd`, and `answer` what it asks."""
        return subprocess.run(
            [sys.executable, "-m", "assignments.cli", *arguments],
            cwd=cwd or self.root,
            env=self.env | env,
            input=answer,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )

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

    def change(self, module: str, old: str, new: str) -> None:
        """Replace the first `old` in the student's `module`."""
        text = self.file(module).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {module}.py"
        self.file(module).write_text(text.replace(old, new, 1), encoding="utf-8")


@cache
def _template() -> Path:
    """Export once per test process."""
    folder = Path(mkdtemp(prefix="template-"))
    export(folder)
    return folder
