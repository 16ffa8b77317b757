"""The decision on one module of one push, and the sentence that tells the student."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo

from autograder.policy.feedback import Feedback
from autograder.policy.standing import Outcome, days


@dataclass(frozen=True)
class Decision:
    """What this push counts, what counts of the module, and when hidden checks answer."""

    push: Outcome
    counts: Outcome
    feedback: Feedback
    late_days: int  # of the term
    left: int  # not spent on any module
    zone: tzinfo

    def sentence(self) -> str:
        """Say what the student should know; nothing where nothing is out of the ordinary."""
        return " ".join(f"{one[0].upper()}{one[1:]}." for one in self._said())

    def _said(self) -> Iterator[str]:
        for change in self.push.adjustments:
            # the size of a change tells the points of hidden checks
            size = f"{change.delta:+g} points, " if self.feedback.allowed else ""
            yield f"{size}{'' if change.kind == 'late' else 'by staff: '}{change.reason}".rstrip(
                "."
            )
        yield from self._lateness()
        other = self.counts.attempt != self.push.attempt
        if self.feedback.allowed and other:
            counts = f"{self.counts.points:g} / {self.counts.attempt.most:g} points"
            yield f"what counts is your push of {self._shown(self.counts.attempt.at)}: {counts}"
        if not self.feedback.allowed:
            yield f"hidden checks answer next at {self._shown(self.feedback.next_at)}"

    def _lateness(self) -> Iterator[str]:
        late = self.push.days_late
        if not late:
            return
        if not any(change.kind == "late" for change in self.push.adjustments):
            yield f"{days(late)} late, which costs no points"
        yield f"it was due {self._shown(self.push.schedule.due)}"
        if self.late_days:
            yield f"you have {days(self.left)} left of your {self.late_days} late days"

    def _shown(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"
