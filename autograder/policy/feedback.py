"""When the hidden checks answer a push: a limit on answers, never on pushes.

Each new content of a module is answered at once while the limit allows it, or else when the limit
next does, without another push; what is pushed meanwhile takes its place in the queue.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, time, timedelta, timezone
from typing import NamedTuple

from assignments.term import Term


class Push(NamedTuple):
    """A content of a module that came at a moment."""

    at: datetime  # in UTC
    content: str  # its digest


class Feedback(NamedTuple):
    """Whether hidden checks answer now, and if not, when."""

    allowed: bool = True
    next_at: datetime | None = None


def answer(term: Term | None, pushes: Iterable[Push], content: str, now: datetime) -> Feedback:
    """Return what is to be done at `now` about a `content` among the `pushes` of a module."""
    at = answered(term, pushes).get(content)
    return Feedback() if at is None or at <= now else Feedback(False, at)


def answered(term: Term | None, pushes: Iterable[Push]) -> dict[str, datetime]:
    """Return when each content is answered; one that was replaced before is missing."""
    done: dict[str, datetime] = {}
    waiting: Push | None = None
    for push in sorted(set(pushes)):
        if waiting is not None and waiting.at <= push.at:
            done[waiting.content] = waiting.at
        waiting = None
        if push.content not in done:
            waiting = Push(_slot(term, done.values(), push.at), push.content)
            if waiting.at == push.at:
                done[push.content], waiting = push.at, None
    return done | ({waiting.content: waiting.at} if waiting else {})


def _slot(term: Term | None, earlier: Collection[datetime], at: datetime) -> datetime:
    """Return the first moment from `at` on at which the limit allows another answer."""
    if term is None or not earlier:
        return at
    if term.feedback_cooldown_minutes is not None:
        at = max(at, max(earlier) + timedelta(minutes=term.feedback_cooldown_minutes))
    if term.feedback_per_day is not None:
        today = at.astimezone(term.zone).date()
        if sum(one.astimezone(term.zone).date() == today for one in earlier) >= (
            term.feedback_per_day
        ):
            midnight = datetime.combine(today + timedelta(days=1), time(), term.zone)
            at = midnight.astimezone(timezone.utc)
    return at
