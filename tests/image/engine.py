"""Builds and runs images with buildah and podman, in a storage of its own that is gone afterwards.

Nothing is shared with what else these engines hold on this machine: storage, state and locks are
below one temporary folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NEEDED = ("buildah", "podman", "runc", "catatonit", "ldd")
BEGIN_S, LONGEST_S = 120, 600  # for one command, before and after a container was seen to run
INSTALL = "on Debian: apt install buildah podman runc catatonit"
BASE, IMAGE = "localhost/base", "localhost/grader"
# How grade.yml runs the image.
FLAGS = """
    --rm --init --network none --read-only --tmpfs /tmp:rw,nosuid,nodev,noexec,size=256m
    --cap-drop ALL --security-opt no-new-privileges --ipc private --pids-limit 256
    --memory 2g --memory-swap 2g --cpus 2 --log-driver none
""".split()
GRADER = ("--user", "65532:65532")
# The only way to a second uid in a container; the worker then has one of its own.
ROOT_WITH_UIDS = "--user 0:0 --cap-add SETUID --cap-add SETGID --cap-add KILL".split()
# What makes podman a Docker: its seccomp profile, and no limits higher than this machine's.
AS_DOCKER = f"""
    --pull never --security-opt seccomp={HERE / "docker-default-seccomp.json"}
    --ulimit nofile=1024:1024 --ulimit nproc=4096:4096
""".split()
STORAGE = """\
[storage]
driver = "{driver}"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""
CONTAINERS = """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "runc"
tmp_dir = "{folder}/state"
"""


class NoEngine(Exception):
    """Why no container can be built or run on this machine, and what to do."""


class Failed(Exception):
    """A command did not end well; says its last lines."""


class Engine:
    """buildah and podman, all of whose files are below one folder."""

    def __init__(self, folder: Path):
        """Check that a container can be had; NoEngine says why not."""
        missing = [name for name in NEEDED if shutil.which(name) is None]
        if missing:
            raise NoEngine(f"{', '.join(missing)} not found; {INSTALL}")
        if os.geteuid() != 0:
            raise NoEngine("containers are made as root here: sudo make image-test")
        self.folder, self.built, self.patience = folder, "", BEGIN_S
        (folder / "containers.conf").write_text(CONTAINERS.format(folder=folder))
        self.env = os.environ | {
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "BUILDAH_ISOLATION": "chroot",
            "TMPDIR": str(folder),
        }

    def begin(self, base: Path) -> None:
        """Import the tar file `base` and run something in it, with the first driver that can."""
        for driver in ("overlay", "vfs"):  # a container that holds this machine may have no overlay
            settings = STORAGE.format(driver=driver, folder=self.folder)
            (self.folder / "storage.conf").write_text(settings)
            try:
                self.call("podman", "import", "--quiet", str(base), BASE)
                self.run(BASE, "python3", "-c", "")  # with every flag: cgroups, seccomp, no network
                self.patience = LONGEST_S
                return
            except Failed as error:
                self.end()
                said = str(error)
        raise NoEngine(f"podman cannot run a container here: {said}")

    def build(self) -> str:
        """Build the image from this tree with the packages in folder/wheels; return its id."""
        options = ["--no-cache", *self.building()]
        env = {"ENGINE": "buildah", "IMAGE": IMAGE}
        printed = self.call(str(ROOT / "autograder/image/build.sh"), *options, env=env).stdout
        return printed.splitlines()[-1]

    def building(self) -> list[str]:
        """Return the options of a build with this machine's base and packages, asking nobody."""
        arguments = [f"BASE={BASE}", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels"]
        options = [word for one in arguments for word in ("--build-arg", one)]
        return [*options, "--pull-never", "--volume", f"{self.folder}/wheels:/wheels:ro"]

    def run(
        self, *command: str, user: tuple[str, ...] | list[str] = GRADER, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `podman run FLAGS command`: further options, the image, its arguments."""
        runs = ["podman", "run", *FLAGS, *AS_DOCKER, *user, *command]
        return self.call(*runs, check=check)

    def python(self, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
        """Run the Python of the image."""
        return self.run("--entrypoint", "python3", IMAGE, *arguments, **options)

    def inspect(self, image: str = IMAGE) -> dict:
        """Return what podman knows of an image."""
        return json.loads(self.call("podman", "image", "inspect", image).stdout)[0]

    def call(
        self, *command: str, env: dict[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on this storage; whoever hangs is ended."""
        try:
            done = subprocess.run(
                ["nice", *command],
                env=self.env | (env or {}),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=self.patience,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{' '.join(command[:2])} took longer than {self.patience} s") from None
        if check and done.returncode:
            last = "\n".join([*done.stdout.splitlines()[-60:], *done.stderr.splitlines()[-20:]])
            raise Failed(f"{' '.join(command[:2])} ended with {done.returncode}: {last}")
        return done

    def end(self) -> None:
        """Remove containers, images and mounts: nothing of this storage stays."""
        for command in ("podman rm --all --force --time 0", "buildah rm --all"):
            self.call(*command.split(), check=False)
        for mount in reversed(self.mounts()):
            subprocess.run(["umount", "--lazy", mount], capture_output=True)
        for name in ("graph", "run", "state"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def mounts(self) -> list[str]:
        """Return what is mounted below the folder, in the order of mounting."""
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        return [at for line in lines if (at := line.split()[1]).startswith(f"{self.folder}/")]
