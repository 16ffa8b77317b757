"""Lists the processes below this one, for tests that nothing is left behind."""

from __future__ import annotations

import os
from pathlib import Path


def descendants() -> set[int]:
    """Return the ids of all living processes below this one."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if after_name[0] != "Z":
            parents[int(folder.name)] = int(after_name[1])
    found, new = set(), {os.getpid()}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found
