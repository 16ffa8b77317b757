"""A `docker` for the workflows under act: podman on the storage of the image's tests.

Commands are handed on as they are, so that the flags of the workflows are what runs. Only what is
elsewhere is turned to this machine: ghcr.io to the stand-in for a registry, and the base and the
packages of a build to those that engine.py has made.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from tests.act import act
from tests.image.engine import AS_DOCKER, ROOT, Engine
from tests.image.registry import PASSWORD

IMAGE_WORKFLOW = ".github/workflows/image.yml"

SCRIPT = """\
#!/bin/sh
# Every word: ghcr.io is the stand-in. `set --` without eval keeps each word whole.
{exports}
echo "docker $*" >> {log}
for word in "$@"; do
  shift
  case "$word" in ghcr.io*) word="{registry}${{word#ghcr.io}}" ;; esac
  set -- "$@" "$word"
done
verb="$1"
shift
case "$verb" in
  run) set -- {run} "$@" ;;
  build) set -- {build} "$@" ;;
  login | push | pull) set -- --tls-verify=false "$@" ;;
esac
exec podman "$verb" "$@"
"""
MAKE = """\
#!/bin/sh
echo "make $*" >> {log}
[ "$1" = image-test ] || exec {make} "$@"
"""
SUDO = '#!/bin/sh\nexec "$@"\n'
APT_GET = '#!/bin/sh\necho "apt-get $*" >> {log}\n'


def build_and_push(tools: Path, scratch: Path, log: Path) -> subprocess.CompletedProcess[str]:
    """Run image.yml under act with the `docker` in `tools`.

    It does all that it does on GitHub but two steps, which note that they were called: `apt-get`,
    and `make image-test`, which would run the test that calls this.
    """
    repository = scratch / "grader"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("autograder", "assignments", "milestones", "tinytorch", ".github"):
        shutil.copytree(ROOT / name, repository / name, ignore=ignored)
    for name in ("Makefile", "pyproject.toml", ".dockerignore"):
        shutil.copyfile(ROOT / name, repository / name)
    git = ["git", "-C", str(repository)]
    subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
    remote = "https://github.com/Course/grader.git"
    subprocess.run([*git, "remote", "add", "origin", remote], check=True)
    author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, *author, "commit", "--quiet", "--allow-empty", "-m", "."], check=True)
    facts = {"log": shlex.quote(str(log)), "make": shutil.which("make")}
    for name, text in {"make": MAKE, "sudo": SUDO, "apt-get": APT_GET}.items():
        program(tools / name, text.format(**facts))
    secret = ["--secret", f"GITHUB_TOKEN={PASSWORD}"]
    return act(repository, IMAGE_WORKFLOW, scratch, python=tools, path=tools, options=secret)


def program(path: Path, text: str) -> None:
    """Write a program."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def write(path: Path, engine: Engine, registry: str, log: Path) -> None:
    """Write the program `docker` to `path`; it notes its calls in `log`."""
    settings = ("CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF", "BUILDAH_ISOLATION", "TMPDIR")
    own = {name: engine.env[name] for name in settings}
    (engine.folder / "auth.json").write_text("{}")
    own["REGISTRY_AUTH_FILE"] = str(engine.folder / "auth.json")
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in own.items())
    text = SCRIPT.format(
        exports=exports,
        log=shlex.quote(str(log)),
        registry=registry,
        run=shlex.join(AS_DOCKER),
        build=shlex.join(engine.building()),
    )
    program(path, text)
