"""A private grader repository whose grade.yml act runs; what is elsewhere is a stub.

GitHub is the stand-in, artifacts are folders, and `docker` runs the grader without a container
unless a test brings one that has them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.act import act
from tests.autograder.delivery import PINNED, Course
from tests.github.standin import APP, TOKEN

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ".github/workflows/grade.yml"
PYTHON = """\
#!/bin/sh
[ "$1 $2" = "-m pip" ] && exit 0
if [ "$3" = publish ] && [ -e {doom} ]; then rm {doom}; kill -9 "$PPID"; sleep 60; fi
exec {python} "$@"
"""
DOCKER = """\
#!/bin/sh
echo "docker $1" >> {log}
env | sed -n 's/=.*//p' | sort | tr '\\n' ' ' >> {log}.env
case "$1" in
  login) cat > /dev/null ;;
  run)
    doom="$(cat {doom} 2>/dev/null)" # one shard meets it: whoever moves the file
    case "$doom" in hang | kill) mv {doom} {doom}.met 2>/dev/null || doom= ;; esac
    case "$doom" in
      hang) kill -ALRM "$PPID"; exec sleep 60 ;; # `timeout` wakes, as at its end
      kill) kill -9 $(ps -o ppid= -p "$PPID") ;;
    esac
    for one in "$@"; do
      case "$before" in --module) modules="$modules --module $one" ;; esac
      before="$one"
      case "$one" in
        */:/in:ro) input="${{one%:/in:ro}}" ;;
        *:/out) out="${{one%:/out}}" ;;
      esac
      last="$one"
    done
    echo "$@" >> {log}.run
    cd {root} && AUTOGRADER_KEY_FILE={key} exec {python} -m autograder grade \\
      "$input/submission.tar.gz" --out "$out" $modules --seed "$last" ;;
esac
"""
UPLOAD = """\
name: stub
inputs: { name: {}, path: {}, if-no-files-found: {}, retention-days: {} }
runs:
  using: composite
  steps:
    - shell: bash
      env: { NAME: "${{ inputs.name }}", FROM: "${{ inputs.path }}" }
      run: |
        [ ! -e "$FROM" ] || { mkdir -p "$ARTIFACTS/$NAME" && cp -r "$FROM/." "$ARTIFACTS/$NAME"; }
"""
DOWNLOAD = """\
name: stub
inputs: { name: {}, path: {}, pattern: {} }
runs:
  using: composite
  steps:
    - shell: bash
      env: { NAME: "${{ inputs.name }}", TO: "${{ inputs.path }}" }
      run: |
        mkdir -p "$TO"
        if [ -n "$NAME" ]; then cp -r "$ARTIFACTS/$NAME/." "$TO"
        else for one in "$ARTIFACTS"/raw-*; do [ ! -e "$one" ] || cp -r "$one" "$TO"; done; fi
"""
APP_TOKEN = f"""\
name: stub
inputs: {{ client-id: {{}}, private-key: {{}}, owner: {{}}, repositories: {{}} }}
outputs: {{ token: {{ value: {TOKEN} }} }}
runs:
  using: composite
  steps: [{{ shell: bash, run: "true" }}]
"""
NOTHING = """\
name: stub
inputs: { path: {}, key: {}, restore-keys: {} }
runs:
  using: composite
  steps: [{ shell: bash, run: "true" }]
"""


class Runner:
    """A private grader repository whose workflow act runs."""

    def __init__(self, course: Course, folder: Path, image: str = PINNED):
        """Copy what the workflow checks out, and put the stubs in place."""
        self.course, self.folder, self.runs = course, folder, 0
        self.settings = {
            "var": {
                "APP_CLIENT_ID": "Iv1",
                "APP_ID": str(APP),
                "GRADER_IMAGE": image,
                "SCORES_REPOSITORY": "scores",
            },
            "secret": {
                "APP_PRIVATE_KEY": "none",
                "SIGNING_KEY": course.key.read_text(encoding="ascii"),
                "SUBMITTER_KEY": "5" * 64,
                "GITHUB_TOKEN": "ghs_of_the_job",
            },
        }
        self.stubs = {
            "actions/upload-artifact": UPLOAD,
            "actions/download-artifact": DOWNLOAD,
            "actions/create-github-app-token": APP_TOKEN,
            "actions/cache": NOTHING,
        }
        self.repository = folder / "grader"
        for name in ("autograder", "assignments", "tinytorch", ".github"):
            ignored = shutil.ignore_patterns("__pycache__", "figures", "hostile")
            shutil.copytree(ROOT / name, self.repository / name, ignore=ignored)
        shutil.copy(course.signers, self.repository)
        git = ["git", "-C", str(self.repository)]
        subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
        remote = "https://github.com/course/grader.git"
        subprocess.run([*git, "remote", "add", "origin", remote], check=True)
        (folder / "server" / "course").mkdir()
        course.scores = course.scores.rename(folder / "server" / "course" / "scores.git")
        self.tools = folder / "tools"
        self.tools.mkdir()
        self.log = folder / "docker.log"
        self.doom = folder / "doom"  # a file that names what goes wrong next, once
        self.write("python", PYTHON.format(python=sys.executable, doom=self.doom))
        facts = {"log": self.log, "root": ROOT, "python": sys.executable, "doom": self.doom}
        self.write("docker", DOCKER.format(key=folder / "throwaway.key", **facts))

    def write(self, name: str, text: str) -> None:
        """Put a program on the runner's PATH."""
        (self.tools / name).write_text(text, encoding="utf-8")
        (self.tools / name).chmod(0o755)

    def change(self, name: str, old: str, new: str) -> None:
        """Change a text that occurs once in a file of the grader repository."""
        path = self.repository / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")

    def run(self, event: str, payload: dict | None = None, green: bool = True) -> str:
        """Run the workflow for an event; return its log, which must be green, or must not."""
        self.runs += 1
        scratch = self.folder / f"run-{self.runs}"
        artifacts = scratch / "artifacts"
        artifacts.mkdir(parents=True)
        (scratch / "event.json").write_text(json.dumps(payload or {}), encoding="utf-8")
        options = self.options(scratch)
        done = act(
            self.repository,
            WORKFLOW,
            scratch,
            python=self.tools,
            event=event,
            stubs=self.stubs,
            options=options,
            path=self.tools,
            github=f"{self.address}/",
        )
        assert (done.returncode == 0) == green, done.stdout
        return done.stdout

    @property
    def address(self) -> str:
        """Where repositories are cloned from."""
        return f"file://{self.folder / 'server'}"

    def options(self, scratch: Path) -> list[str]:
        """Return what GitHub would know: the event, variables, secrets."""
        values = self.settings | {
            "env": {
                "GITHUB_API_URL": self.course.github.url,
                "GITHUB_SERVER_URL": self.address,
                "GITHUB_WRITE_PAUSE_S": "0",
                "ARTIFACTS": str(scratch / "artifacts"),
            },
        }
        options = ["--eventpath", str(scratch / "event.json")]
        for kind, pairs in values.items():
            options += [part for pair in pairs.items() for part in (f"--{kind}", "=".join(pair))]
        return options

    @property
    def graded(self) -> int:
        """How many containers ran."""
        calls = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        return calls.count("docker run")
