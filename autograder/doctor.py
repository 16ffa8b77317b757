"""Say what this machine can prove about isolation, which versions are here, and what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.table import Table

from autograder.errors import AutograderError
from autograder.sandbox import Sandbox

PACKAGES = ("numpy", "otter-grader", "pyseccomp", "jsonschema", "filelock", "jinja2", "rich")
CURES = {
    "landlock": "a Linux kernel of 5.13 or newer, started with Landlock enabled",
    "seccomp": "the package libseccomp2 (Debian) or libseccomp (Fedora, Arch)",
    "memory_limit": "a container or session that lets RLIMIT_AS be lowered",
}


def examine() -> bool:
    """Print what was found; return True where grading with full isolation is possible."""
    console = Console(highlight=False)
    console.print(_versions())
    try:
        with Sandbox(require_full=False) as sandbox:
            console.print(_guarantees(sandbox))
            console.print(f"a worker's user: {_user()}")
            isolation, missing = sandbox.isolation, sandbox.missing
    except AutograderError as error:
        console.print(f"[red]{error}[/]")
        return False
    for name, reason in missing.items():
        cure = f": needs {CURES[name]}" if name in CURES else ""
        console.print(f"[red]missing[/] {name} ({reason}){cure}")
    console.print(f"isolation: [bold]{isolation}[/]")
    return isolation == "full"


def _versions() -> Table:
    table = Table(title="Versions", title_justify="left")
    table.add_column("what")
    table.add_column("here")
    table.add_row("Python", platform.python_version())
    table.add_row("system", f"{platform.system()} {platform.release()} {platform.machine()}")
    table.add_row("git", _git())
    for package in PACKAGES:
        table.add_row(package, _installed(package))
    return table


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        needless = package == "pyseccomp" and not sys.platform.startswith("linux")
        return "not needed here" if needless else "[red]missing: run make[/]"


def _git() -> str:
    if shutil.which("git") is None:
        return "[yellow]missing: install git to grade commits; archives need none[/]"
    answer = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.removeprefix("git version ").strip()


def _user() -> str:
    if os.geteuid() == 0:
        return "its own, so files are out of its reach by their owner too"
    return "the grader's, so Landlock and seccomp alone keep files out of its reach"


def _guarantees(sandbox: Sandbox) -> Table:
    from autograder.sandbox.proof import GUARANTEES, REQUIRED

    table = Table(title="Guarantees, each tried out in a worker", title_justify="left")
    table.add_column("guarantee")
    table.add_column("holds")
    for name in GUARANTEES:
        holds = "[green]yes[/]" if name in sandbox.proved else "[red]no[/]"
        table.add_row(name, holds + ("" if name in REQUIRED else " (not required)"))
    return table
