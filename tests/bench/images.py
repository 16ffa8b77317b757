"""How well the network of 1998 reads MNIST, and how its errors on CIFAR-10 fall with more images.

Its training is the milestone's own, on one thread. Of CIFAR-10 a part of the archive is enough: the
curve over parts of it, each with as many epochs, is drawn on to the whole by a power law, and says
that it is.
"""

from __future__ import annotations

import importlib
import io
import os
import tarfile
import time
from pathlib import Path

import numpy as np

from milestones.problem import Images
from tests.bench.measure import Bar
from tests.bench.mnist import FOLDER
from tinytorch.dataloader import MNIST, read_cifar10

MILESTONE = importlib.import_module("milestones.04_1998_cnn").MILESTONE
ACCURACY, SECONDS = ("MNIST with a CNN", 99.0), ("MNIST with a CNN, CPU time", 600.0)
PHOTOS = ("CIFAR-10, drawn on to 50,000 images", 75.0)
WHOLE, SEED = 50_000, 0


def bars() -> list[Bar]:
    """Train on MNIST, and on parts of what there is of CIFAR-10."""
    folder = os.environ.get(FOLDER)
    if not folder:
        note = f"not measured: set {FOLDER} to the folder of MNIST and CIFAR-10"
        percent = [
            Bar(*bar, None, unit="%", at_least=True, note=note) for bar in (ACCURACY, PHOTOS)
        ]
        return [*percent, Bar(*SECONDS, None, unit="s", note=note)]
    return [*_digits(Path(folder)), *_photos(Path(folder))]


def _digits(folder: Path) -> list[Bar]:
    from milestones import datasets

    began = time.process_time()
    share = trained(datasets.published(MNIST, folder))
    took = time.process_time() - began
    note = f"the milestone of 1998 on 60,000 images, seed {SEED}; 5 minutes of two cores are 600 s"
    return [
        Bar(*ACCURACY, 100 * share, unit="%", at_least=True, note=note),
        Bar(*SECONDS, took, unit="s", note=f"{note}; reading included"),
    ]


def _photos(folder: Path) -> list[Bar]:
    archives = [*folder.glob("cifar-10-binary.tar*"), *folder.glob("cifar-10-*.tar.gz")]
    if not archives:
        return [Bar(*PHOTOS, None, unit="%", at_least=True, note="not measured: no CIFAR-10 there")]
    task = photos(archives[0])
    curve, began = {}, time.process_time()
    for count in (len(task.inputs) // 4, len(task.inputs) // 2, len(task.inputs)):
        part = Images(task.inputs[:count], task.labels[:count], task.tests, task.answers)
        curve[count] = trained(part)
    note = ", ".join(f"{share:.1%} from {count:,}" for count, share in curve.items())
    return [
        Bar(
            *PHOTOS,
            100 * drawn_on(curve, WHOLE),
            unit="%",
            at_least=True,
            note=f"{note}; the errors' power law drawn on, which is no measurement",
            details={"curve": curve, "cpu_s": time.process_time() - began},
        )
    ]


def trained(task: Images) -> float:
    """Return the accuracy that the milestone's training reaches."""
    result = MILESTONE.train(**task.arguments(), seed=SEED, watch=None)
    return task.accuracy(task.require(result["predicted"]))


def photos(archive: Path) -> Images:
    """Return the images of the batches that are in an archive of CIFAR-10's binary form."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
        for member in (
            one
            for one in tar.getmembers()
            if one.name.endswith("_batch.bin") or "data_batch" in one.name
        ):
            found[Path(member.name).name] = read_cifar10(tar.extractfile(member).read())
    learned = [found[name] for name in sorted(found) if name.startswith("data_batch")]
    pixels, labels = (np.concatenate(parts) for parts in zip(*learned, strict=True))
    tests, answers = found["test_batch.bin"]
    unit = np.float32(255)
    return Images(pixels / unit, labels, tests / unit, answers)


def drawn_on(curve: dict[int, float], count: int) -> float:
    """Return the accuracy from `count` images if errors fall on as a·n^-b: the line in logarithms.

    Halved errors for twice the images: {1: 0.2, 2: 0.6} -> 0.8 from 4.
    """
    counts, errors = np.log(list(curve)), np.log(1 - np.array(list(curve.values())))
    slope, height = np.polyfit(counts, errors, 1)
    return float(1 - np.exp(height + slope * np.log(count)))
