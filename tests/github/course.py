"""Students on a stand-in for GitHub: real bare repositories, and pushes with the server's time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

MONDAY = datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
NOBODY = "0" * 40
ENVIRONMENT = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": os.devnull}


class Bare:
    """A student's bare repository on the server, and its activity."""

    def __init__(self, folder: Path, number: int, name: str):
        """Make an empty one; `number` is its id for good."""
        self.folder, self.id, self.name, self.branch = folder, number, name, "main"
        self.activity: list[dict] = []  # newest first
        self.pushed_at: str | None = None
        self.archived = False
        git(folder.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(folder))

    @property
    def head(self) -> str:
        """The newest commit of the branch."""
        return self.activity[0]["after"] if self.activity else NOBODY

    def push(
        self,
        files: Mapping[str, str],
        *,
        at: datetime | None = None,
        dated: datetime = MONDAY,
        force: bool = False,
    ) -> str:
        """Push one commit that holds `files` alone; `dated` is what the commit claims."""
        stamp = f"student <s@example.org> {int(dated.timestamp())} +0000"
        before, parent = self.head, self.head if not force else NOBODY
        stream = [f"commit refs/heads/{self.branch}\ncommitter {stamp}\ndata 4\npush\n"]
        if parent != NOBODY:
            stream.append(f"from {parent}\n")
        stream.append("deleteall\n")
        for path, text in files.items():
            stream.append(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n")
        git(self.folder, "fast-import", "--quiet", "--force", given="".join(stream))
        after = git(self.folder, "rev-parse", f"refs/heads/{self.branch}")
        kind = "branch_creation" if before == NOBODY else "force_push" if force else "push"
        self.moved(before, after, kind, at)
        return after

    def delete_branch(self, at: datetime | None = None) -> None:
        """Leave nothing on the branch."""
        git(self.folder, "update-ref", "-d", f"refs/heads/{self.branch}")
        self.moved(self.head, NOBODY, "branch_deletion", at)

    def moved(self, before: str, after: str, kind: str, at: datetime | None) -> None:
        """Enter what moved the branch into the activity."""
        at = at or MONDAY + timedelta(minutes=len(self.activity))
        entry = {
            "id": len(self.activity) + 1,
            "node_id": "PSH",
            "before": before,
            "after": after,
            "ref": f"refs/heads/{self.branch}",
            "timestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "activity_type": kind,
            "actor": {"login": "student", "id": 1},
        }
        self.activity.insert(0, entry)
        self.pushed_at = entry["timestamp"]


def git(folder: Path, *arguments: str, given: str | None = None) -> str:
    """Run git in `folder`, return what it printed."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        input=given,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
