"""Builds what students hand in: folders, git repositories and archives of given files."""

from __future__ import annotations

import os
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

COMMITTED_AT = "2026-03-01T12:00:00+00:00"
IDENTITY = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "student",
    "GIT_AUTHOR_EMAIL": "student@example.org",
    "GIT_AUTHOR_DATE": COMMITTED_AT,
    "GIT_COMMITTER_NAME": "student",
    "GIT_COMMITTER_EMAIL": "student@example.org",
    "GIT_COMMITTER_DATE": COMMITTED_AT,
}


def folder(at: Path, files: Mapping[str, bytes]) -> Path:
    """Write `files` (path -> content) below `at`."""
    for name, content in files.items():
        path = at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return at


def repository(at: Path, files: Mapping[str, bytes]) -> Path:
    """Write `files` below `at` and commit them on the branch main."""
    at.mkdir(parents=True, exist_ok=True)
    git(at, "init", "--quiet", "--initial-branch=main")
    folder(at, files)
    git(at, "add", "--all")
    git(at, "commit", "--quiet", "--allow-empty", "--message=work")
    return at


def git(at: Path, *arguments: str, data: bytes | None = None) -> str:
    """Run git in `at` as the student; return what it printed."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=at,
        input=data,
        env=os.environ | IDENTITY,
        check=True,
        capture_output=True,
    )
    return done.stdout.decode().strip()


def zip_file(at: Path, files: Mapping[str, bytes]) -> Path:
    """Pack `files` into the zip `at`."""
    with zipfile.ZipFile(at, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return at


def tar_file(at: Path, files: Mapping[str, bytes], *members: tarfile.TarInfo) -> Path:
    """Pack `files`, and `members` without content, into the .tar.gz `at`."""
    with tarfile.open(at, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
        for member in members:
            archive.addfile(member)
    return at
