"""Makes a base for the image without a registry: this machine's Python and what it links to.

It is to the image what the pinned base is: Python with pip, the libraries that both bring, and as
there Python's own modules are text without bytecode. It has no shell, so the build needs none.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import pip

LDCONFIG, CACHE = Path("/sbin/ldconfig"), Path("/etc/ld.so.cache")  # they say where a library is
# What the sandbox loads by name, and what wheels for many systems are linked to.
LIBRARIES = """
    libseccomp.so.2 libstdc++.so.6 libgcc_s.so.1 libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1
""".split()
NEEDLESS = re.compile(
    "(.*/)?(__pycache__|test|tests|idlelib|ensurepip|turtledemo|config-[^/]*|[^/]*tkinter[^/]*)(/.*)?"
)
FOLDERS = {"/tmp": 0o1777, "/root": 0o755, "/var/tmp": 0o1777, "/build": 0o755, "/opt": 0o755}
TEXTS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "/etc/group": "root:x:0:\n",
}
ASK = """
import json, sysconfig
print(json.dumps([sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib")]))
"""


def make(target: Path) -> None:
    """Write the root file system of the base as the tar file `target`."""
    python = Path(sys._base_executable).resolve()
    answer = subprocess.run([python, "-c", ASK], check=True, capture_output=True).stdout
    stdlib, platstdlib, purelib = map(Path, json.loads(answer))
    modules = {*_files(stdlib), *_files(platstdlib)}
    binaries = [python, *(path for path in modules if path.suffix == ".so")]
    libraries = {*_linked(binaries), *_known(LIBRARIES)}
    with tarfile.open(target, "w") as base:
        for name, mode in FOLDERS.items():
            _add(base, name, mode, tarfile.DIRTYPE)
        for name, text in TEXTS.items():
            _add(base, name, 0o644, content=text.encode())
        for path in sorted({python, LDCONFIG, CACHE, *modules, *libraries, *_linked(libraries)}):
            base.add(path.resolve(), str(path))
        base.add(Path(pip.__file__).parent, str(purelib / "pip"), filter=_needed)
        _add(base, "/usr/bin/python3", 0o777, tarfile.SYMTYPE, target=str(python))


def _files(library: Path) -> Iterable[Path]:
    """Return Python's own modules: what is installed beside them is not the base's."""
    for path in library.rglob("*"):
        inside = path.relative_to(library).as_posix()
        if path.is_file() and not NEEDLESS.fullmatch(inside) and "-packages/" not in inside:
            yield path


def _linked(binaries: Iterable[Path]) -> set[Path]:
    """Return the shared libraries that the dynamic loader would load with `binaries`."""
    lines = subprocess.run(["ldd", *binaries], capture_output=True, encoding="utf-8").stdout
    return {Path(path) for path in re.findall(r"^\t(?:\S+ => )?(/\S+) \(", lines, re.MULTILINE)}


def _known(names: Iterable[str]) -> set[Path]:
    """Return the libraries of these names that the system knows."""
    lines = subprocess.run([LDCONFIG, "-p"], check=True, capture_output=True).stdout.decode()
    found = dict(re.findall(r"^\t(\S+) .* => (/\S+)$", lines, re.MULTILINE)[::-1])  # first wins
    return {Path(found[name]) for name in names}


def _needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if NEEDLESS.fullmatch(member.name) else member


def _add(
    base: tarfile.TarFile,
    name: str,
    mode: int,
    kind: bytes = tarfile.REGTYPE,
    *,
    content: bytes = b"",
    target: str = "",
) -> None:
    member = tarfile.TarInfo(name)
    member.mode, member.type, member.size, member.linkname = mode, kind, len(content), target
    base.addfile(member, BytesIO(content))
