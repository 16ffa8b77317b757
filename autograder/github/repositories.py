"""Git over the network: fetch one commit, clone the scores, push them; never a working tree.

The token goes to git by its environment, which no list of processes shows, and only for the
server it is for. Nothing is read from anyone's git configuration.
"""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

from autograder.errors import AutograderError

FETCH_S, FETCH_BLOCKS = 120, 1 << 19  # blocks of 512 bytes (1024 in some shells): 256 to 512 MiB
SERVER = "https://github.com"


class RepositoryError(AutograderError):
    """Git could not do it; says which of its commands, and its last word."""


class Rejected(RepositoryError):
    """Somebody else pushed first."""


def fetch_commit(url: str, commit: str, folder: Path, token: str) -> None:
    """Fetch one commit without its history into a new bare repository `folder`."""
    _git(["init", "--quiet", "--bare", str(folder)], token)
    options = ["--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head"]
    _git(["-C", str(folder), "fetch", *options, "--", url, commit], token)


def clone(url: str, folder: Path, token: str) -> None:
    """Clone the newest commit of `url`, which may have none yet."""
    _git(["clone", "--quiet", "--depth=1", "--no-tags", "--", url, str(folder)], token)


def commit_and_push(folder: Path, message: str, token: str) -> bool:
    """Push all of `folder`; False if nothing changed; Rejected if another push came first."""
    here = ["-C", str(folder)]
    _git([*here, "add", "--all"], token)
    if not _git([*here, "status", "--porcelain"], token):
        return False
    _git([*here, "commit", "--quiet", "--message", message], token)
    try:
        _git([*here, "push", "--quiet", "origin", "HEAD"], token)
    except RepositoryError as error:
        if "rejected" in str(error) or "failed to push" in str(error):
            raise Rejected(str(error)) from error
        raise
    return True


def _git(arguments: list[str], token: str) -> str:
    """Run git within bounds of time and of the size of any file; return what it printed."""
    bounded = ["sh", "-c", f'ulimit -f {FETCH_BLOCKS}; exec git "$@"', "git", *arguments]
    try:
        done = subprocess.run(
            bounded,
            env=_environment() | _credentials(token),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=FETCH_S,
        )
    except subprocess.TimeoutExpired:
        raise RepositoryError(f"git {_verb(arguments)} took longer than {FETCH_S} s") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        word = said[-1][:200] if said else f"exit code {done.returncode}"
        raise RepositoryError(f"git {_verb(arguments)} failed: {word}")
    return done.stdout.decode("utf-8", "replace")


def _verb(arguments: list[str]) -> str:
    return arguments[2] if arguments[0] == "-C" else arguments[0]


def _credentials(token: str) -> dict[str, str]:
    """Return the environment by which git knows who pushes, and to which server it says so."""
    server = os.environ.get("GITHUB_SERVER_URL") or SERVER
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    settings = {
        f"http.{server}/.extraheader": f"AUTHORIZATION: basic {basic}",
        "init.defaultBranch": "main",
        "user.name": "autograder",
        "user.email": "autograder@users.noreply.github.com",
        "gc.auto": "0",
        "advice.pushUpdateRejected": "false",  # its hints would hide that a push was rejected
        "core.hooksPath": os.devnull,
    }
    pairs = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        pairs |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return pairs


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }
