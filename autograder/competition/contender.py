"""One side of a comparison: an entry and the framework that it runs on, ready for fresh workers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tinytorch
from autograder.competition import probes
from autograder.competition.entries import Entry
from autograder.competition.lane import Lane
from autograder.competition.refusal import Refused, said
from autograder.milestones import travelling
from autograder.sandbox import Code, Sandbox, StudentError, WorkerError

ENTRY = "entry"  # the name of the entry's module in the worker
MISSING = ("ImportError", "ModuleNotFoundError", "AttributeError", "NotImplementedError")
IMPORT_S = 5.0  # of processor time: what is done there is not timed


def own(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return a student's framework in course order, of their `files` {module: source}."""
    return {name: files[name] for name in tinytorch.MODULES if name in files}


def reference() -> dict[str, bytes]:
    """Return the reference framework, in course order."""
    folder = Path(tinytorch.__file__).parent
    paths = {name: folder / f"{name}.py" for name in tinytorch.MODULES}
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}


class Contender:
    """Starts workers that hold an entry and its framework."""

    def __init__(
        self, box: Sandbox, number: int, entry: Entry, framework: Mapping[str, bytes] | None = None
    ):
        """Compile `entry` and `framework` in lane `number`; without one it is the reference's.

        Raises Refused where the entry does not compile.
        """
        self.entry, self._is_own = entry, framework is not None
        self._broken: list[str] = []  # of a student's modules, which do not compile and why
        given = {} if self._is_own else reference()
        sources = {f"tinytorch.{name}": source.decode("utf-8") for name, source in given.items()}
        self._branch = box.lane(number).branch(sources)
        self._code: dict[str, Code] = {}
        with self._branch.worker() as worker:
            for name, source in (framework or {}).items():
                try:
                    path = f"tinytorch/{name}.py"
                    self._code[f"tinytorch.{name}"] = worker.compile(path, source)
                except StudentError as failure:  # no harm to whoever does not import it
                    self._broken.append(f"{path} does not compile: {said(failure)}")
                except WorkerError as failure:
                    raise Refused(f"{path} does not compile: {failure}") from None
            try:
                self._code[ENTRY] = worker.compile(entry.path, entry.source)
            except WorkerError as failure:
                raise Refused(f"{entry.path} does not compile: {self.said(failure)}") from None

    def lane(self) -> Lane:
        """Return a fresh worker that has imported the entry; raises Refused if it cannot."""
        worker = self._branch.worker()
        try:
            worker.load(self._code, only=[ENTRY])
            defined = worker.run(travelling(probes.defines), {"name": self.entry.track.function})
        except WorkerError as failure:
            worker.close()
            raise Refused(f"{self.entry.path} cannot be imported: {self.said(failure)}") from None
        if defined is not True:  # whatever else came, the entry's code has been at it
            worker.close()
            name = self.entry.track.function
            raise Refused(f"{self.entry.path} has no function `{name}`: define it")
        lane = Lane(worker)
        if (took := lane.cpu_s()) > IMPORT_S:
            worker.close()
            line = f"takes {took:.1f} s to import, expected at most {IMPORT_S:g} s"
            raise Refused(f"{self.entry.path} {line}: nobody counts what is done there")
        return lane

    def require_made(self, made: object) -> None:
        """Refuse an entry whose function returned nothing to go on with, where this is not True.

        The entry's code may have chosen `made`: of that no word is told.
        """
        if made is not True:
            raise Refused(self.entry.track.unmade("None" if made is None else "something else"))

    def said(self, failure: WorkerError, *, is_secret: bool = False) -> str:
        """Return why a worker gave no answer.

        Free text only where neither the reference nor what `is_secret` is in reach.
        """
        line = said(failure) if self._is_own and not is_secret else str(failure)
        missing = isinstance(failure, StudentError) and failure.type_name in MISSING
        return "; ".join([line, *(self._broken if missing else ())])
