"""One side of a measurement: an entry or the baseline, and what is found of it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from assignments.competition import given
from assignments.competition.tracks import PATH, Track

SEED = 2026  # public: the grader's is not
BASELINES = PATH.parent / "baseline"


class Refused(Exception):
    """An entry broke a rule, or itself."""


@dataclass(frozen=True)
class Gate:
    """A quantity that an entry must reach."""

    name: str
    value: float
    least: float


@dataclass(frozen=True)
class Measured:
    """What was found of an entry."""

    value: float
    baseline: float
    gates: tuple[Gate, ...]
    ci95: tuple[float, float] | None = None
    note: str = ""


@dataclass(frozen=True)
class Entry:
    """One side: its source, its data, and what it is called in messages."""

    track: Track
    division: str
    source: bytes
    data: bytes
    path: str

    @classmethod
    def read(cls, track: Track, division: str, folder: Path) -> Entry:
        """Return the entry in `folder`."""
        data = folder / track.weights
        found = data.read_bytes() if data.is_file() else b""
        source = (folder / track.source).read_bytes()
        return cls(track, division, source, found, f"entry/{track.source}")

    @classmethod
    def baseline(cls, track: Track) -> Entry:
        """Return the course's own entry, which stands on the student's framework here."""
        data = given.packed() if track.data == "either" else b""
        source = (BASELINES / track.source).read_bytes()
        return cls(track, "closed", source, data, f"baseline/{track.source}")

    def gates(self, **found: float) -> tuple[Gate, ...]:
        """Hold what was `found` against what the division asks for."""
        least = self.track.divisions[self.division]
        return tuple(Gate(name, found[name], least[name]) for name in least)

    def call(self, name: str) -> Callable:
        """Import the entry anew and return its function `name`; raises Refused."""
        module = ModuleType("entry")
        sys.modules["entry"] = module
        with self.answering("cannot be imported: "):
            exec(compile(self.source, self.path, "exec"), module.__dict__)
        function = getattr(module, name, None)
        if not callable(function):
            raise Refused(f"{self.path} has no function `{name}`: define it")
        return function

    def load(self, *given: object) -> Callable:
        """Return the function that the entry's `load` makes of what it is given."""
        load = self.call("load")
        with self.answering():
            made = load(*given)
        if not callable(made):
            raise Refused(self.track.unmade("None" if made is None else type(made).__name__))
        return made

    def begun(self, train: Callable, *given: object) -> Iterator:
        """Return the steps of the entry's `train`."""
        with self.answering():
            steps = train(*given)
            if steps is None:
                raise Refused(self.track.unmade("None"))
            return iter(steps)

    @contextmanager
    def answering(self, what: str = "") -> Iterator[None]:
        """Turn whatever is raised into one line that says where: the entry's, or the baseline's."""
        try:
            yield
        except Refused:
            raise
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            sides = [one for one in frames if one.filename.startswith(("entry/", "baseline/"))]
            where = f"{sides[-1].filename}:{sides[-1].lineno}" if sides else self.path
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise Refused(f"{where}: {what}{said:.200}") from None
