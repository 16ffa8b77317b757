"""Hand in: commit what is graded and push it, with every obstacle named. Never with force."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from assignments.repository import TitoError

HANDED_IN = ("tinytorch", "entry", "leaderboard.toml")  # what is graded, and a name for the board


def submit(root: Path) -> list[str]:
    """Commit what changed of HANDED_IN and push the branch; return what was done, as lines."""
    if shutil.which("git") is None:
        raise TitoError("git is not installed; get it from https://git-scm.com and try again")
    _require_repository(root)
    branch = _git(root, "symbolic-ref", "--short", "-q", "HEAD", may_fail=True)
    if not branch:
        raise TitoError("no branch is checked out; run `git switch main` and submit again")
    remote = _remote(root, branch)
    done = _commit(root)
    done += _push(root, remote, branch)
    done = done or ["nothing to submit: what is graded is committed and pushed as it is"]
    return done + _warnings(root)


def _warnings(root: Path) -> list[str]:
    if not (root / "entry").is_dir():
        return []
    from assignments.compete import faults  # only who competes waits for these imports

    return [f"but the competition will refuse this: {fault}" for fault in faults(root)]


def _require_repository(root: Path) -> None:
    top = _git(root, "rev-parse", "--show-toplevel", may_fail=True)
    if not top or not Path(top).samefile(root):
        raise TitoError(
            f"{root} is not a git repository; clone the one your course gave you and work there"
        )


def _remote(root: Path, branch: str) -> str:
    remotes = _git(root, "remote").splitlines()
    if not remotes:
        raise TitoError(
            "no remote to push to; run `git remote add origin ADDRESS` with the address of your "
            "repository and submit again"
        )
    chosen = _git(root, "config", f"branch.{branch}.remote", may_fail=True)
    return chosen or ("origin" if "origin" in remotes else remotes[0])


def _commit(root: Path) -> list[str]:
    options = ("--porcelain", "-z", "--no-renames", "--untracked-files=all")
    changed = _git(root, "status", *options, "--", *HANDED_IN)
    paths = [entry[3:] for entry in changed.split("\0") if entry]
    if not paths:
        return []
    names = ", ".join(sorted({Path(path).stem for path in paths}))
    _git(root, "add", "--all", "--", *paths)
    # Only these, whatever else is staged.
    _git(root, "commit", "--quiet", "-m", f"Submit {names}", "--", *paths)
    return [f"committed {names}"]


def _push(root: Path, remote: str, branch: str) -> list[str]:
    said = _git(root, "push", "--porcelain", "--set-upstream", remote, branch)
    if any(line.startswith("=") for line in said.splitlines()):
        return []
    commit = _git(root, "rev-parse", "--short", "HEAD")
    return [f"pushed {branch} to {remote} ({commit}): your work is handed in"]


def _git(root: Path, *arguments: str, may_fail: bool = False) -> str:
    """Run git in `root` and return its output; its own words become the error's."""
    run = subprocess.run(
        ["git", *arguments],
        cwd=root,
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if run.returncode == 0:
        return run.stdout.strip("\n")
    if may_fail:
        return ""
    raise TitoError(_explained(arguments[0], run.stdout + run.stderr))


def _explained(verb: str, said: str) -> str:
    if "fetch first" in said or "non-fast-forward" in said:
        return "the remote has commits that you do not have; run `git pull --rebase`, submit again"
    if "tell me who you are" in said or "auto-detect email" in said:
        return (
            'git does not know you; run `git config user.name "Your Name"` and '
            "`git config user.email you@example.org`, then submit again"
        )
    telling = [line for line in said.splitlines() if line.startswith(("fatal:", "error:"))]
    words = " ".join((telling or said.split("\n"))[0].split())
    return f"git {verb} failed: {words}; mend that and submit again"
