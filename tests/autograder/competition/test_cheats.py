"""Entries that would win without the work: none does, and each is refused for its own reason."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from autograder.sandbox import Sandbox
from tests.autograder.competition.arena import LIMITS, judged
from tests.submissions.competition import entries

CHEATS = entries.load("cheats")
BAD = entries.load("bad")
NOISE = 1.3  # of a ratio that was measured with little effort


def weighed(outcome):
    return ", ".join(f"{part.value} of {part.name}" for part in outcome.parts)


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda one: one.name)
def test_a_cheat_gains_nothing_and_the_reason_is_known(cheat, box):
    """What stopped it is what its first lines say."""
    result = judged(cheat.files, cheat.track, box)
    found = {
        "refused": result.reason if result.status == "refused" else "",
        "gated": result.reason if result.status == "gated" else "",
        "weighs": weighed(result.outcome) if result.outcome else "",
        "earns": "nothing" if (result.improvement or 9) < NOISE else f"{result.improvement}",
    }
    ((kind, pattern),) = ((k, v) for k, v in cheat.values.items() if k in found)
    assert re.search(pattern, found[kind]), f"{result.status}: {result.reason} {found}"


@pytest.mark.parametrize("entry", BAD, ids=lambda one: one.name)
def test_a_bad_entry_is_refused_with_its_reason(entry, box):
    """One line says what came and where."""
    if entry.limits:
        with Sandbox(replace(LIMITS, **entry.limits)) as own:
            result = judged(entry.files, entry.track, own)
    else:
        result = judged(entry.files, entry.track, box)
    assert result.status == "refused"
    assert re.search(entry.values["refused"], result.reason), result.reason
    assert "\n" not in result.reason
    assert result.points is None and result.medal is None


def test_there_are_at_least_fourteen_cheats():
    """The list of the competition's page is kept whole."""
    assert len(CHEATS) >= 14
