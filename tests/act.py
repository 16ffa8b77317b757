"""Run a workflow as GitHub would, on this machine: act, without containers and without network.

The steps run on the host. Actions from elsewhere are stubs: `actions/checkout` does nothing (act
has copied the repository), and `actions/setup-python` puts a folder with `python` on the PATH.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ACTION = """\
name: stub
runs:
  using: composite
  steps:
    - shell: bash
      run: {command}
"""


def act(
    repository: Path,
    workflow: str,
    scratch: Path,
    *,
    python: Path,
    event: str = "push",
    stubs: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    path: Path | None = None,
    github: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run `workflow` (a path in `repository`) for `event`; the exit code is 0 if it is green.

    `python` is the folder that setup-python provides; `scratch` an empty folder for act's files;
    `stubs` holds an action.yml for each other action, `path` what is found first on the PATH;
    `github` begins an action's address where `options` name another server.
    """
    plain = {
        "actions/checkout": "true",
        "actions/setup-python": f'echo "{python}" >> "$GITHUB_PATH"',
    }
    stubs = {name: ACTION.format(command=one) for name, one in plain.items()} | dict(stubs or {})
    command = [str(Path(sys.executable).parent / "act"), event, "--workflows", workflow]
    command += ["--platform", "ubuntu-24.04=-self-hosted", "--no-cache-server"]
    text = (repository / workflow).read_text(encoding="utf-8")
    for action, version in re.findall(r"uses: ([\w./-]+)@(\w+)", text):
        folder = scratch / "actions" / action
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "action.yml").write_text(stubs[action], encoding="utf-8")
        command += ["--local-repository", f"{github}{action}@{version}={folder}"]
    home = scratch / "home"  # act keeps its files, and its settings, below the home folder
    home.mkdir()
    return subprocess.run(
        [*command, *options],
        cwd=repository,
        env=_environment(home, path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=600,
    )


def _environment(home: Path, path: Path | None) -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
    env |= {"HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    return env | ({"PATH": f"{path}{os.pathsep}{env['PATH']}"} if path else {})
