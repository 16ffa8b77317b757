"""Download data once, with checksums: `python milestones/download.py mnist [folder]`.

What arrives is written to `<name>.part`, and gets its name when all of it is there and its SHA-256
is the published one. A connection that breaks is taken up where it broke, also by the next run.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S, PAUSE_S, ATTEMPTS, CHUNK = 30.0, 1.0, 4, 1 << 16


class DownloadError(Exception):
    """One clear line: what was expected, what came, what to do."""


@dataclass(frozen=True)
class File:
    """A published file: its size and checksum, and the folders on the web that have it."""

    name: str
    size: int
    sha256: str
    mirrors: tuple[str, ...]
    published_as: str = ""  # its name on the web, where that is another


MNIST = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SHAKESPEARE = ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",)
CIFAR10 = ("https://www.cs.toronto.edu/~kriz/",)
DATA = {
    "mnist": (
        File(
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            MNIST,
        ),
        File(
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            MNIST,
        ),
        File(
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            MNIST,
        ),
        File(
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            MNIST,
        ),
    ),
    "cifar10": (
        File(
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            CIFAR10,
        ),
    ),
    "shakespeare": (
        File(
            "tinyshakespeare.txt",
            1_115_394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            SHAKESPEARE,
            published_as="input.txt",
        ),
    ),
}


def download(file: File, folder: Path, show: Callable[[int], None] = lambda done: None) -> Path:
    """Return where the file lies in the folder, whole and verified; `show` hears of each byte.

    DownloadError when no mirror gives it; what came so far stays in `<name>.part`.
    """
    path, part = folder / file.name, folder / f"{file.name}.part"
    if path.exists():
        _verify(file, path, "remove it and run again")
        return path
    folder.mkdir(parents=True, exist_ok=True)
    problems = []
    for mirror in file.mirrors:
        try:
            _complete(file, mirror + (file.published_as or file.name), part, show)
            _verify(file, part, f"run again, and report {mirror} if it stays so")
        except DownloadError as problem:
            problems.append(str(problem))
        else:
            with part.open("rb+") as content:
                os.fsync(content)  # before the name, or a power cut could leave the name alone
            os.replace(part, path)
            return path
    raise DownloadError("; ".join(problems))


def _complete(file: File, url: str, part: Path, show: Callable[[int], None]) -> None:
    """Append to the part what is missing; give up after some attempts that brought nothing."""
    failures, best = 0, _size(part)
    while (have := _size(part)) != file.size:
        show(have)
        time.sleep(PAUSE_S * failures)
        try:
            _append(file, url, part, show)
            problem = "the connection broke"
        except urllib.error.HTTPError as error:
            problem = f"the server answers {error.code} {error.reason}"
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.unlink(missing_ok=True)  # it is of another file than the server's
            if error.code < 500:
                raise _failure(file, url, part, problem) from None
        except (OSError, http.client.HTTPException) as error:
            problem = f"{getattr(error, 'reason', error)}" or type(error).__name__
        failures = 0 if _size(part) > best else failures + 1
        best = max(best, _size(part))
        if failures == ATTEMPTS:
            raise _failure(file, url, part, problem)
    show(file.size)


def _append(file: File, url: str, part: Path, show: Callable[[int], None]) -> None:
    """Ask for what is missing and write what comes, until the server or the file ends."""
    have = _size(part)
    if have > file.size:
        part.unlink()
        have = 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        begins = answer.headers.get("Content-Range", "bytes 0-")  # else all of it comes, anew
        if not begins.startswith((f"bytes {have}-", "bytes 0-")):
            raise DownloadError(f"{file.name}: asked for bytes {have}-, came {begins} from {url}")
        have = have if begins.startswith(f"bytes {have}-") else 0
        with part.open("ab" if have else "wb") as output:
            while chunk := answer.read1(CHUNK):  # what is there: read() would wait for all of it
                have += len(chunk)
                if have > file.size:
                    break
                output.write(chunk)
                show(have)
    if have > file.size:
        part.unlink()
        what = f"expected {file.size:,} bytes, more came from {url}"
        raise DownloadError(f"{file.name}: {what}: run again, and report it if it stays so")


def _failure(file: File, url: str, part: Path, problem: str) -> DownloadError:
    came = f"{_size(part):,} of {file.size:,} bytes came from {url}"
    return DownloadError(f"{file.name}: {problem}, {came}: run again, it goes on from there")


def _verify(file: File, path: Path, cure: str) -> None:
    """Refuse a file whose checksum is not the published one; a part is then worth nothing."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != file.sha256:
        if path.suffix == ".part":
            path.unlink()
        came = f"expected SHA-256 {file.sha256}, came {digest.hexdigest()}"
        raise DownloadError(f"{path.name}: {came}: {cure}")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def main(arguments: list[str] | None = None) -> int:
    """Download the files of a data set into a folder, and show how far it is."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", choices=sorted(DATA), help="what to download")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("data"), help="where to")
    chosen = parser.parse_args(arguments)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    try:
        with Progress(*columns) as progress:
            for file in DATA[chosen.data]:
                task = progress.add_task(file.name, total=file.size)
                download(file, chosen.folder, lambda n, t=task: progress.update(t, completed=n))
                progress.update(task, completed=file.size)
    except DownloadError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped: run again, it goes on from there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
