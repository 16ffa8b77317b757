"""A short way to run a student's file in a sandbox."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable
from typing import Any

from autograder.sandbox import Sandbox, Usage, Worker

PATH = "tinytorch/tensor.py"


def call_answer(inputs):
    """The probe of most tests here: what the student's `answer` returns for `inputs`."""
    return tt.answer(*inputs)  # noqa: F821 the package, in the worker


class Student:
    """Runs one student file after another, each in a fresh worker of the same sandbox."""

    def __init__(self, box: Sandbox):
        self.box, self.usage, self.pid = box, Usage(), 0

    def __call__(self, source: str | bytes, *inputs: Any, probe: Callable = call_answer) -> Any:
        """Return what the file's `answer(*inputs)` returns; raise what the sandbox raises."""
        with self.worker(source) as worker:
            try:
                return self.ask(worker, *inputs, probe=probe)
            finally:
                worker.close()
                self.usage = worker.usage

    def ask(self, worker: Worker, *inputs: Any, probe: Callable = call_answer) -> Any:
        """Run `probe` in `worker`."""
        return worker.run(marshal.dumps(probe.__code__), {"inputs": list(inputs)})

    def ask_all(self, worker: Worker, inputs: Iterable[Any]) -> tuple[list[Any], Any]:
        """Call `answer` with each of the inputs in one journey."""
        probe = marshal.dumps(call_answer.__code__)
        return worker.run_all([(probe, {"inputs": [one]}) for one in inputs])

    def worker(self, source: str | bytes) -> Worker:
        """Return a worker that has loaded the file; the worker is closed when that fails."""
        worker = self.box.branch({}).worker()
        self.pid = worker.pid
        try:
            blob = source.encode() if isinstance(source, str) else source
            worker.load({"tinytorch.tensor": worker.compile(PATH, blob)})
        except BaseException:
            worker.close()
            self.usage = worker.usage
            raise
        return worker
