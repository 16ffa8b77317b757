"""What isolation costs: a fresh process, locked and proved, for each check."""

from __future__ import annotations

import marshal
import time
from statistics import median

from autograder.sandbox import Limits, Sandbox
from tests.bench.measure import Bar

WORKERS = 200
SOURCE = b"def answer():\n    return 42\n"


def answer():
    """The shortest probe: what is left is the worker's own time."""
    return tt.answer()  # noqa: F821 the package, in the worker


def bars() -> list[Bar]:
    """Start workers one after another; each loads a file and answers one probe."""
    probe = marshal.dumps(answer.__code__)
    times_ms = []
    with Sandbox(Limits(), require_full=True) as box:
        branch = box.branch({})
        with branch.worker() as worker:
            code = {"tinytorch.tensor": worker.compile("tinytorch/tensor.py", SOURCE)}
        for _ in range(WORKERS):
            began = time.perf_counter()
            with branch.worker() as worker:
                worker.load(code)
                if int(worker.run(probe, {})) != 42:
                    raise RuntimeError("the worker gave another answer than its code")
            times_ms.append((time.perf_counter() - began) * 1e3)
    details = {"workers": WORKERS, "isolation": box.isolation, "times_ms": times_ms}
    note = f"start, lock, prove, load, answer, end: median of {WORKERS}"
    return [Bar("worker per check", 15, median(times_ms), unit="ms", note=note, details=details)]
