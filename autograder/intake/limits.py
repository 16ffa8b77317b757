"""How much a submission may hold; every bound is named when it is hit."""

from __future__ import annotations

from dataclasses import dataclass

from assignments.competition.rules import DATA_BYTES


@dataclass(frozen=True)
class Limits:
    """Bounds on one submission, far above what a finished course needs."""

    entries: int = 1000  # files, folders and links of the whole tree
    depth: int = 12  # folders within folders
    file_bytes: int = 10 << 20  # any one file, as declared
    total_bytes: int = 50 << 20  # all files together, as declared; also what an archive unpacks to
    source_bytes: int = 1 << 20  # a file that is graded
    entry_bytes: int = 0  # a file in entry/, for the competition alone: else none is read
    archive_bytes: int = 20 << 20  # the archive itself
    git_memory_bytes: int = 1 << 30  # address space of the git process that reads the objects
    wall_s: float = 10.0  # reading the whole submission


WITH_ENTRIES = Limits(entry_bytes=DATA_BYTES)  # for the competition
