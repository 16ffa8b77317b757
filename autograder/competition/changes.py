"""What staff decided of results: facts in a file that can be reviewed; no report is ever changed.

competition.toml lies beside the grader, as overrides.toml does. An entry says of which results the
state changes: of one report, beside which the student's others count as before; or of all that a
student pushed up to then, but for what is withdrawn, which is final. Either holds also where the
same is measured again, in the final or with new rules. What they push afterwards is a new result.
`competition.example.toml` shows the form.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assignments.catalog import Course, tomllib
from assignments.competition.tracks import DIVISIONS, tracks
from assignments.term import Key, TermError, checked
from autograder.competition.states import CI, DISPUTED, SELF_RUN, VERIFIED, WITHDRAWN, advance
from autograder.errors import GraderError
from autograder.policy.overrides import Who, moment

if TYPE_CHECKING:
    from autograder.leaderboard.tracks import Result

CHANGES = "competition.toml"
ROOT = Path(__file__).resolve().parents[2]
_ENTRY = {
    "repository": Key(int, "its numeric id", "812345678", 1, 10**18),
    "submitter": Key(str, "submitter.id of their reports", '"abcd…"'),
    "report": Key(str, "report_id of one report", '"01K…"'),
    "track": Key(str, "its name", '"sprint"', choices=tuple(tracks())),
    "division": Key(str, "both, if left out", '"closed"', choices=DIVISIONS),
    "to": Key(str, "the new state", '"disputed"', choices=(DISPUTED, VERIFIED, WITHDRAWN)),
    "reason": Key(str, "which the student reads", '"row 3 is not computed"'),
    "by": Key(str, "who decided", '"J. Doe"'),
    "at": Key(datetime, "when it was decided", "2026-12-12T09:30:00+01:00"),
}
_WHOSE = ("repository", "submitter", "report")


@dataclass(frozen=True)
class Change:
    """A new state of some results."""

    number: int  # in the file
    who: Who
    report: str | None  # this one, and those in which the same files are measured again
    track: str
    division: str | None  # None: both
    to: str
    reason: str
    by: str
    at: datetime  # in UTC

    def is_about(self, result: Result) -> bool:
        """Tell whether the state of `result`, as it is by then, changes; practice has none."""
        if result.track != self.track or self.division not in (None, result.division):
            return False
        if result.state == SELF_RUN:
            return False
        if self.report is not None:
            return self.report in result.measured
        if result.state == WITHDRAWN or (self.to, result.state) == (VERIFIED, CI):
            return False  # that is final; and of a student nobody verifies what was not in doubt
        # A push is measured again in the final, and with new rules. The date of a commit, where no
        # server saw it come, is what its author wrote: it is not after the measurement.
        pushed = min(map(_moment, (result.since, result.at)))
        mine = Who(result.repository, result.submitter)
        return self.who.is_same(mine) and pushed <= self.at

    def applied(self, state: str) -> str:
        """Return the state that a result of `state` is in by this; GraderError if it cannot be."""
        if state == self.to:
            return state
        try:
            return advance(state, self.to)
        except ValueError as error:
            cure = "correct `to`, or name the `report` that is meant"
            raise GraderError(f"{CHANGES}: state {self.number}: {error}; {cure}") from None


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00"))


def load_changes(course: Course, path: Path | None = None) -> tuple[Change, ...]:
    """Return what the file `path` says, or the one beside the grader; nothing if there is none."""
    chosen = path or ROOT / CHANGES
    if path is None and not chosen.is_file():
        return ()
    return read_changes(chosen, course)


def read_changes(path: Path, course: Course) -> tuple[Change, ...]:
    """Return the changes in `path`, oldest first; GraderError names what is wrong, and the cure."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise GraderError(f"{path.name}: cannot be read: {why}; mend it") from None
    try:
        checked(tables, {"state": Key(list, "its entries", "[[state]]")}, "the file", ())
        entries = enumerate(tables.get("state", ()), start=1)
        found = [_change(number, table, course) for number, table in entries]
    except TermError as error:
        problem, cure = error.args
        raise GraderError(f"{path.name}: {problem}; {cure}") from None
    return tuple(sorted(found, key=lambda one: (one.at, one.number)))


def _change(number: int, table: Any, course: Course) -> Change:
    what = f"state {number}"
    fields = checked(table, _ENTRY, what, ("track", "to", "reason", "by", "at"))
    given = [name for name in _WHOSE if name in fields]
    if len(given) != 1:
        has = " and ".join(given) or "none of them"
        raise TermError(f"{what} has {has}", f"write one of {', '.join(_WHOSE)}")
    return Change(
        number=number,
        who=Who(fields.pop("repository", None), fields.pop("submitter", None)),
        report=fields.pop("report", None),
        division=fields.pop("division", None),
        **fields | {"at": moment(fields["at"], what, course).astimezone(timezone.utc)},
    )
