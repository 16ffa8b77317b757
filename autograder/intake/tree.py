"""The files of a submission as they come in: counted, bounded, kept where grading needs them."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone

from autograder.errors import SubmissionError
from autograder.intake.limits import Limits

# An archive often wraps the repository in one more folder, as in "alice-main/tinytorch/tensor.py".
COURSE_FILE = re.compile(
    r"(?:(?P<wrapper>[^/]+)/)?"
    r"(?P<path>tinytorch/[A-Za-z_][A-Za-z0-9_]{0,63}\.py|leaderboard\.toml)"
)
# Any name that a disk takes: which of them an entry may hold, autograder/competition/ says.
ENTRY_FILE = re.compile(r"(?:(?P<wrapper>[^/]+)/)?(?P<path>entry/\w[ -.0-~]{0,99})", re.ASCII)
ODD_FILE = re.compile(r"(?:[^/]+/)?tinytorch/[^/]*\.py")  # unless it is a course file
NOTES = 20
NOT_ENTERED = ("__pycache__", "__MACOSX")  # nor hidden folders: histories, environments, caches


def is_passed_over(folder: str) -> bool:
    """Tell whether the content of a folder of this name is neither counted nor read."""
    return folder.startswith(".") or folder in NOT_ENTERED


def moment(seconds: float) -> datetime:
    """Return the time `seconds`, or the nearest from the epoch to now: a disk keeps any number."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), time.time()), timezone.utc)


def refusal(what: str, expected: str, came: str, cure: str) -> SubmissionError:
    """Return the error for `what`, in one line: expected, came, do."""
    return SubmissionError(f"{what}: expected {expected}, got {came}; {cure}")


def shown(name: str) -> str:
    r"""Quote a name from outside for one line of a log.

    Example: "a\n::b\x1b" -> "'a\\n::b\\x1b'"
    """
    name = name if len(name) <= 100 else f"{name[:48]}...{name[-49:]}"
    escape = "".join(c if c.isprintable() else _escaped(c) for c in name)
    return f"'{escape}'"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _place(path: str) -> re.Match[str]:
    """Return wrapper and path of a file that was wanted."""
    return COURSE_FILE.fullmatch(path) or ENTRY_FILE.fullmatch(path)


def shown_size(size: int) -> str:
    """Example: 10485760 -> "10 MiB"."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:,.4g} GiB"


class Tree:
    """What a reader found so far, within `limits`; raises SubmissionError at the first excess."""

    def __init__(self, name: str, limits: Limits):
        """Collect the submission `name`, which begins every error."""
        self.name, self.limits = name, limits
        self.files: dict[str, bytes] = {}
        self.notes: list[str] = []
        self._entries = self._bytes = 0
        self._folded: dict[str, str] = {}
        self._paths: set[str] = set()
        self._ends = time.monotonic() + limits.wall_s

    def enter(self, path: str) -> None:
        """Count any entry: a file, a folder, a link."""
        self.in_time()
        self._entries += 1
        if self._entries > self.limits.entries:
            raise self.excess(
                f"at most {self.limits.entries} files and folders",
                "more",
                "remove what is not code",
            )
        if path.count("/") >= self.limits.depth:
            raise self.excess(
                f"folders at most {self.limits.depth} deep", shown(path), "move the files up"
            )

    def admit(self, path: str, size: int) -> int:
        """Count a regular file of `size` declared bytes.

        Return how many bytes of content may be read, 0 where it is not needed.
        """
        self._once(path)
        self._bytes += size
        wanted = self._wanted_bytes(path)
        limit = wanted or self.limits.file_bytes
        if size > limit:
            raise self.too_large(path, size, limit)
        if self._bytes > self.limits.total_bytes:
            raise self.excess(
                f"at most {shown_size(self.limits.total_bytes)} in all", "more", "remove data files"
            )
        return wanted

    def keep(self, path: str, content: bytes) -> None:
        """Hold the content of a file that `admit` wanted, however long it turned out to be."""
        limit = self._wanted_bytes(path)
        if len(content) > limit:
            raise self.too_large(path, len(content), limit)
        self.files[path] = content

    def skip(self, path: str, kind: str) -> None:
        """Note that `path` is not read because it is a `kind`: for the grader it is missing."""
        self._skipped(f"{shown(path)} is a {kind}: not read")

    def in_time(self) -> None:
        """Refuse when reading has taken too long."""
        if time.monotonic() > self._ends:
            raise self.overtime()

    def course_files(self) -> dict[str, bytes]:
        """Return the kept files by their path in the repository, sorted, without a wrapper."""
        found = {_place(path): content for path, content in self.files.items()}
        wrappers = {match["wrapper"] for match in found if match["path"].startswith("tinytorch/")}
        wrapper = None if None in wrappers else min(wrappers, default=None)
        if wrapper is None and not wrappers:
            came = f"{self._entries} other files and folders" if self._entries else "nothing at all"
            raise self.excess(
                "files tinytorch/*.py", came, "hand in the top folder of the repository"
            )
        if wrapper is not None and len(wrappers) > 1:
            raise self.excess(
                "one folder tinytorch", f"{len(wrappers)} of them", "hand in one repository"
            )
        chosen = {m["path"]: content for m, content in found.items() if m["wrapper"] == wrapper}
        return dict(sorted(chosen.items()))

    def excess(self, expected: str, came: str, cure: str) -> SubmissionError:
        """Return the refusal of this submission."""
        return refusal(self.name, expected, came, cure)

    def too_large(self, path: str, size: int, limit: int) -> SubmissionError:
        """Return the refusal of a file above its bound."""
        return refusal(
            f"{self.name}: {shown(path)}",
            f"at most {shown_size(limit)}",
            shown_size(size),
            "remove the file from the submission",
        )

    def overtime(self) -> SubmissionError:
        """Return the refusal of a submission that cannot be read in time."""
        return self.excess(
            f"to be read within {self.limits.wall_s:g} s", "longer", "hand in the repository alone"
        )

    def _wanted_bytes(self, path: str) -> int:
        """Return how large `path` may be if its content is needed, else 0."""
        if COURSE_FILE.fullmatch(path):
            return self.limits.source_bytes
        return self.limits.entry_bytes if ENTRY_FILE.fullmatch(path) else 0

    def _once(self, path: str) -> None:
        if path in self._paths:
            raise self.excess("every name once", f"{shown(path)} twice", "pack it anew")
        self._paths.add(path)
        folded = path.casefold()
        if not COURSE_FILE.fullmatch(folded):
            if ODD_FILE.fullmatch(folded):
                expected = "a name of letters, digits and _, at most 64"
                self._skipped(f"{shown(path)} is not read: expected {expected}")
            return
        other = self._folded.setdefault(folded, path)
        if other != path:
            raise self.excess(
                "names that differ by more than case",
                f"{shown(other)} and {shown(path)}",
                "keep one",
            )
        if not COURSE_FILE.fullmatch(path):
            self.notes.append(f"{shown(path)} is not graded: expected the name {shown(folded)}")

    def _skipped(self, line: str) -> None:
        if len(self.notes) < NOTES:
            self.notes.append(line)
