"""Mutants: the reference with one instructive mistake, which must cost the task it names.

tests/submissions/mutants/NN_name/<what_is_wrong>.toml holds `loses` (a task), `why` (one sentence)
and `replace`, pairs of an old text that occurs once in the reference and the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assignments.catalog import Assignment, tomllib
from autograder.errors import GraderError
from autograder.starters import reference

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "submissions" / "mutants"
KEYS = {"loses": str, "why": str, "replace": list}


@dataclass(frozen=True)
class Mutant:
    """A wrong version of one module's file."""

    name: str  # "02_activations/relu_in_place"
    loses: str  # the id of a task
    why: str
    source: bytes


def load_mutants(assignment: Assignment, folder: Path = FOLDER) -> list[Mutant]:
    """Load the mutants of `assignment`; GraderError names the file that is wrong."""
    return [_load(path, assignment) for path in sorted((folder / assignment.id).glob("*.toml"))]


def _load(path: Path, assignment: Assignment) -> Mutant:
    name = f"{assignment.id}/{path.stem}"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GraderError(f"mutant {name}: not TOML: {error}") from None
    if {key: type(value) for key, value in table.items()} != KEYS:
        raise GraderError(f"mutant {name}: expected loses, why, replace; got {', '.join(table)}")
    known = [task.id for task in assignment.tasks]
    if table["loses"] not in known:
        raise GraderError(f"mutant {name}: loses {table['loses']!r}, expected one of {known}")
    source = reference(assignment).read_bytes().decode()
    for pair in table["replace"]:
        source = _replaced(source, pair, name)
    return Mutant(name, table["loses"], table["why"], source.encode())


def _replaced(source: str, pair: Any, name: str) -> str:
    if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, str) for x in pair)):
        raise GraderError(f'mutant {name}: replace holds {pair!r}, expected ["old", "new"]')
    old, new = pair
    if source.count(old) != 1 or old == new:
        raise GraderError(
            f"mutant {name}: {old!r} occurs {source.count(old)} times in the reference, expected "
            "once and replaced by something else"
        )
    return source.replace(old, new)
